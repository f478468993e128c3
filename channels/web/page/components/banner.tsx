import { useEffect, useState } from "react";
import { useChat, useChatState } from "./context.ts";
import { Alert, Cross, Unplugged } from "./icons.tsx";

const useOnline = (): boolean => {
  const [online, setOnline] = useState(navigator.onLine);
  useEffect(() => {
    const update = (): void => setOnline(navigator.onLine);
    window.addEventListener("online", update);
    window.addEventListener("offline", update);
    return () => {
      window.removeEventListener("online", update);
      window.removeEventListener("offline", update);
    };
  }, []);
  return online;
};

/** A short break is nobody's business: true once `value` has been true for a while. */
const useLasting = (value: boolean, ms: number): boolean => {
  const [lasting, setLasting] = useState(false);
  useEffect(() => {
    if (!value) return undefined;
    const timer = setTimeout(() => setLasting(true), ms);
    return () => {
      clearTimeout(timer);
      setLasting(false);
    };
  }, [value, ms]);
  return value && lasting;
};

/** Says that the gateway is out of reach. A gateway on this very machine works without a network: only the stream counts. */
export function ConnectionBanner() {
  const chat = useChat();
  const online = useOnline();
  const lost = useLasting(
    useChatState((s) => s.phase === "ready" && s.connection === "lost"),
    1200,
  );
  return (
    <div role="status" className="banner-place">
      {lost && (
        <div className="banner">
          <Unplugged size={18} />
          <p>
            <b>{online ? "Reconnecting…" : "You’re offline."}</b> What you write is kept, and sent once the connection
            is back.
          </p>
          <button type="button" className="banner-button" onClick={chat.reconnect}>
            Try now
          </button>
        </div>
      )}
    </div>
  );
}

/** What just went wrong, above the composer, until it is dismissed or twelve seconds have passed. */
export function ProblemBar() {
  const chat = useChat();
  const problem = useChatState((s) => s.problem);
  useEffect(() => {
    if (problem === undefined) return undefined;
    const timer = setTimeout(chat.hush, 12_000);
    return () => clearTimeout(timer);
  }, [chat, problem]);
  return (
    <div role="alert" className="problem-place">
      {problem !== undefined && (
        <div className="problem" key={problem.key}>
          <Alert size={18} />
          <p>{problem.text}</p>
          <button type="button" aria-label="Dismiss" onClick={chat.hush}>
            <Cross size={16} />
          </button>
        </div>
      )}
    </div>
  );
}
