/** Whether the page stands in the panel that embed.ts adds to another site. */
export const isEmbedded = (): boolean => new URLSearchParams(location.search).get("embed") === "1";

/** Asks embed.ts to close its panel. The word carries nothing secret, so that any parent may hear it. */
export const leaveFrame = (): void => {
  if (window.parent !== window) window.parent.postMessage({ type: "ascent:close" }, "*");
};

/** Back to the composer after an action elsewhere; not on a touch screen, where that would raise the keyboard. */
export const focusComposer = (): void => {
  if (window.matchMedia("(pointer: coarse) and (not (any-pointer: fine))").matches) return;
  document.querySelector<HTMLElement>(".input")?.focus();
};
