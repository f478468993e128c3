import { focusComposer } from "../frame.ts";
import { useChat, useChatState } from "./context.ts";
import { Alert, ArrowRight, Mark } from "./icons.tsx";
import { Markdown } from "./markdown.tsx";

const examplesOfDemo = [
  "What can you do?",
  "Show me a table and some code",
  "Give me a choice to make",
  "How do I connect a real model?",
];
const examplesOfAgent = ["What can you help me with?", "Help me plan my week", "Explain something I often get wrong"];

/** The empty conversation. */
export function Welcome() {
  const chat = useChat();
  const session = useChatState((s) => s.session);
  if (session === undefined) return null;
  const { agent } = session;
  const examples = (session.examples ?? (agent.demo ? examplesOfDemo : examplesOfAgent)).slice(0, 4);
  return (
    <section className="welcome" aria-labelledby="welcome-title">
      <Mark size={52} />
      <h2 id="welcome-title">What’s on your mind?</h2>
      <p className="welcome-lead">
        You’re talking with <b>{agent.name}</b>
        {agent.demo ? ", on the built-in demo model." : "."}
      </p>
      {(agent.notice !== undefined || agent.demo) && (
        <div className="welcome-notice">
          <Markdown text={agent.notice ?? demoNotice} />
        </div>
      )}
      {examples.length > 0 && (
        <ul className="examples" aria-label="Examples to begin with">
          {examples.map((example) => (
            <li key={example}>
              <button
                type="button"
                onClick={() => {
                  chat.send(example);
                  focusComposer();
                }}
              >
                <span dir="auto">{example}</span>
                <ArrowRight size={16} />
              </button>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

const demoNotice =
  "It needs no key and runs on this machine: its answers are scripted. Set a model’s key to talk to a real one.";

export function Loading() {
  return (
    <div className="loading" role="status" aria-label="Loading the conversation">
      <i />
      <i />
      <i />
    </div>
  );
}

export function Failed() {
  const chat = useChat();
  const failure = useChatState((s) => s.failure);
  return (
    <section className="welcome failed-page" role="alert">
      <span className="failed-sign">
        <Alert size={28} />
      </span>
      <h2>The chat could not be opened</h2>
      <p className="welcome-lead">{failure}</p>
      <button type="button" className="main-button" onClick={chat.reconnect}>
        Try again
      </button>
      <p className="fine">The page keeps trying by itself.</p>
    </section>
  );
}
