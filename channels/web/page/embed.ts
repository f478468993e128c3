/**
 * Puts the chat into another site: `<script src="https://gateway/embed.js" async></script>`. It adds a button and, when
 * that is first used, a frame with the page. Attributes of the script element: `data-label` names the button,
 * `data-side="left"` moves it. Everything stands in a shadow root, so that neither page's styles reach the other.
 */
(() => {
  const embed = (script: HTMLScriptElement): void => {
    const base = new URL(".", script.src);
    const label = script.dataset["label"] ?? "Chat";
    const left = script.dataset["side"] === "left";

    const host = document.createElement("ascent-chat");
    const root = host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(styles);
    root.adoptedStyleSheets = [sheet];

    const panel = document.createElement("div");
    panel.className = left ? "panel left" : "panel";
    panel.id = "panel";
    panel.role = "dialog";
    panel.ariaLabel = label;
    panel.hidden = true;

    const button = document.createElement("button");
    button.type = "button";
    button.className = left ? "launcher left" : "launcher";
    button.ariaLabel = label;
    button.ariaExpanded = "false";
    button.ariaHasPopup = "dialog";
    button.setAttribute("aria-controls", panel.id);
    button.append(
      drawing("M4.5 17.5V7A2.5 2.5 0 0 1 7 4.5h10A2.5 2.5 0 0 1 19.5 7v6.5A2.5 2.5 0 0 1 17 16H9z"),
      drawing("m6.5 9.5 5.5 5.5 5.5-5.5"),
    );

    let frame: HTMLIFrameElement | undefined;
    const open = (): void => {
      if (frame === undefined) {
        frame = document.createElement("iframe");
        frame.src = new URL("?embed=1", base).href;
        frame.title = label;
        frame.allow = "clipboard-write";
        panel.append(frame);
      }
      panel.hidden = false;
      button.ariaExpanded = "true";
      frame.focus();
    };
    const close = (): void => {
      if (panel.hidden) return;
      panel.hidden = true;
      button.ariaExpanded = "false";
      button.focus();
    };

    button.addEventListener("click", () => (panel.hidden ? open() : close()));
    root.addEventListener("keydown", (event) => {
      if (event instanceof KeyboardEvent && event.key === "Escape") close();
    });
    window.addEventListener("message", (event: MessageEvent<unknown>) => {
      if (frame === undefined || event.source !== frame.contentWindow || event.origin !== base.origin) return;
      const said = event.data;
      if (typeof said === "object" && said !== null && "type" in said && said.type === "ascent:close") close();
    });

    root.append(panel, button);
    document.body.append(host);
  };

  const drawing = (path: string): SVGSVGElement => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
    line.setAttribute("d", path);
    svg.append(line);
    return svg;
  };

  const styles = `
    :host { all: initial; }
    [hidden] { display: none !important; }
    .launcher, .panel { position: fixed; z-index: 2147483000; right: 20px; }
    .launcher.left, .panel.left { right: auto; left: 20px; }
    .launcher {
      bottom: max(20px, env(safe-area-inset-bottom)); width: 56px; height: 56px; padding: 0; border: 0; border-radius: 50%;
      background: #14695a; color: #fff; cursor: pointer; display: grid; place-items: center;
      box-shadow: 0 1px 2px #0003, 0 8px 24px #0003; transition: transform .15s ease, background-color .15s ease;
    }
    .launcher:hover { background: #0f5548; transform: translateY(-1px); }
    .launcher:active { transform: none; }
    .launcher:focus-visible { outline: 3px solid #fff; outline-offset: -6px; box-shadow: 0 0 0 3px #14695a, 0 8px 24px #0003; }
    svg { grid-area: 1 / 1; width: 26px; height: 26px; fill: none; stroke: currentColor; stroke-width: 1.9;
      stroke-linecap: round; stroke-linejoin: round; transition: opacity .15s ease, transform .15s ease; }
    .launcher[aria-expanded="false"] svg:nth-of-type(2), .launcher[aria-expanded="true"] svg:nth-of-type(1) { opacity: 0; transform: scale(.7); }
    .panel {
      bottom: calc(max(20px, env(safe-area-inset-bottom)) + 70px); width: min(400px, calc(100vw - 40px));
      height: min(640px, calc(100dvh - 120px)); border-radius: 16px; overflow: hidden; background: #fbfaf7;
      box-shadow: 0 0 0 1px #0000001a, 0 16px 48px #0000003d; animation: rise .18s ease-out;
    }
    iframe { display: block; width: 100%; height: 100%; border: 0; color-scheme: light dark; }
    @keyframes rise { from { opacity: 0; transform: translateY(8px); } }
    @media (prefers-color-scheme: dark) { .panel { background: #151615; box-shadow: 0 0 0 1px #ffffff24, 0 16px 48px #000000a6; } }
    @media (max-width: 480px), (max-height: 480px) {
      .panel, .panel.left { inset: 0; width: 100%; height: 100dvh; border-radius: 0; }
      .launcher[aria-expanded="true"] { display: none; }
    }
    @media (prefers-reduced-motion: reduce) { .panel { animation: none; } .launcher, svg { transition: none; } }
  `;

  const script = document.currentScript;
  if (script instanceof HTMLScriptElement && document.querySelector("ascent-chat") === null) {
    if (document.body === null) document.addEventListener("DOMContentLoaded", () => embed(script));
    else embed(script);
  }
})();

export {};
