import { useEffect, useState } from "react";
import { Check, Copy } from "./icons.tsx";

/** navigator.clipboard is missing on plain-http origins and refused in some frames: then a selection is copied instead. */
const copy = async (text: string): Promise<boolean> => {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const focused = document.activeElement;
    const area = document.createElement("textarea");
    area.className = "offscreen";
    area.value = text;
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    if (focused instanceof HTMLElement) focused.focus();
    return copied;
  }
};

export function CopyButton({ text, label }: { readonly text: () => string; readonly label: string }) {
  const [state, setState] = useState<"idle" | "copied" | "refused">("idle");
  useEffect(() => {
    if (state === "idle") return undefined;
    const timer = setTimeout(() => setState("idle"), 1800);
    return () => clearTimeout(timer);
  }, [state]);
  const onClick = (): void => {
    void copy(text()).then((copied) => setState(copied ? "copied" : "refused"));
  };
  const shown = state === "copied" ? "Copied" : state === "refused" ? "Not copied" : "Copy";
  return (
    <button type="button" className="copy" onClick={onClick} aria-label={label}>
      {state === "copied" ? <Check size={15} /> : <Copy size={15} />}
      <span aria-live="polite">{shown}</span>
    </button>
  );
}
