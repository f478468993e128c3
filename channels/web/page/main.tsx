import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { createChat } from "./chat.ts";
import { httpClient } from "./client.ts";
import { App } from "./components/app.tsx";
import { browserStore, fileStore } from "./files.ts";
import { isEmbedded } from "./frame.ts";
import "./styles.css";

const chat = createChat({
  makeClient: (onSession) => httpClient({ fetch: window.fetch.bind(window), onSession, now: Date.now }),
  store: browserStore("localStorage"),
  files: fileStore(),
  now: () => new Date(),
});
chat.start();

// A change of network, or a return from the browser's cache, is a reason to look at once rather than when a timer ends.
window.addEventListener("online", chat.reconnect);
window.addEventListener("offline", chat.reconnect);
window.addEventListener("pageshow", (event) => {
  if (event.persisted) chat.reconnect();
});

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root.");
createRoot(root).render(
  <StrictMode>
    <App chat={chat} drafts={browserStore("sessionStorage")} embedded={isEmbedded()} />
  </StrictMode>,
);
