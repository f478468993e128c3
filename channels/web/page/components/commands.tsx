import { ComposerPrimitive } from "@assistant-ui/react";
import { useMemo, type ReactNode } from "react";
import { useChatState } from "./context.ts";

/** The part of the library's adapter that a flat list needs. */
const formatter = {
  serialize: (item: { readonly id: string }) => `/${item.id}`,
  parse: (text: string) => [{ kind: "text" as const, text }],
};

/** A command stands alone at the start of a message: a slash in running text is a slash. */
const atStart = (text: string, char: string, cursor: number) => {
  const head = text.slice(0, cursor);
  return head.startsWith(char) && !/\s/.test(head) ? { query: head.slice(1), offset: 0, endOffset: cursor } : null;
};

const none: readonly never[] = [];

/** Offers the agent's commands once a message begins with a slash. */
export function Commands({ children }: { readonly children: ReactNode }) {
  const commands = useChatState((s) => s.session?.commands) ?? none;
  const adapter = useMemo(() => {
    const items = commands.map(({ name, description }) => ({
      id: name,
      type: "command",
      label: `/${name}`,
      description,
    }));
    return {
      categories: () => [],
      categoryItems: () => [],
      search: (query: string) => items.filter((item) => item.id.toLowerCase().startsWith(query.toLowerCase())),
    };
  }, [commands]);
  return (
    <ComposerPrimitive.Unstable_TriggerPopoverRoot>
      {children}
      <ComposerPrimitive.Unstable_TriggerPopover
        char="/"
        matcher={atStart}
        adapter={adapter}
        className="commands"
        aria-label="Commands"
      >
        <ComposerPrimitive.Unstable_TriggerPopover.Directive formatter={formatter} />
        <ComposerPrimitive.Unstable_TriggerPopoverItems aria-label="Commands">
          {(items) =>
            items.map((item, index) => (
              <ComposerPrimitive.Unstable_TriggerPopoverItem
                key={item.id}
                item={item}
                index={index}
                className="command"
              >
                <b>{item.label}</b>
                <span>{item.description}</span>
              </ComposerPrimitive.Unstable_TriggerPopoverItem>
            ))
          }
        </ComposerPrimitive.Unstable_TriggerPopoverItems>
      </ComposerPrimitive.Unstable_TriggerPopover>
    </ComposerPrimitive.Unstable_TriggerPopoverRoot>
  );
}
