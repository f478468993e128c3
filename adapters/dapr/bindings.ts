/** Dapr's bindings: whatever the sidecar has a component for posts here, or is posted to. */
import { InputError, TerminalError } from "../../src/errors.ts";
import type { BindingHandler, Bindings } from "../../src/ports.ts";
import { unexpected, type Sidecar } from "./sidecar.ts";
import { segment } from "./wire.ts";

export interface DaprBindings extends Bindings {
  /** What the sidecar posts; undefined where nobody takes from this binding. */
  handlerOf(name: string): BindingHandler | undefined;
}

/** The first parts of the paths that the sidecar calls for other reasons. */
const taken = new Set(["healthz", "dapr", "events", "actors", "job", "a2a"]);
const deadlineMs = 15_000;

export function createBindings(sidecar: Sidecar): DaprBindings {
  const handlers = new Map<string, BindingHandler>();
  return {
    handlerOf: (name) => handlers.get(name),
    take(name, handler) {
      if (taken.has(name) || handlers.has(name)) throw new InputError(`a binding cannot be called "${name}" here`);
      handlers.set(name, handler);
    },
    async send(name, operation, data, metadata = {}) {
      const body = JSON.stringify({ operation, data, metadata });
      const answer = await sidecar.call("POST", `/v1.0/bindings/${segment(name)}`, { body, deadlineMs });
      if (answer.status === 200 || answer.status === 204) return;
      // No such binding, or one that lacks the operation.
      if (answer.status === 400) throw new TerminalError(`the binding "${name}" cannot ${operation} (400)`);
      throw unexpected(`the binding "${name}" did not take it`, answer);
    },
    async publish(component, topic, { id, type, data }) {
      const attributes = new URLSearchParams({ "metadata.cloudevent.id": id, "metadata.cloudevent.type": type });
      const path = `/v1.0/publish/${segment(component)}/${segment(topic)}?${attributes.toString()}`;
      const answer = await sidecar.call("POST", path, { body: JSON.stringify(data), deadlineMs });
      if (answer.status === 200 || answer.status === 204) return;
      // No such component, or a topic that the gateway may not publish to.
      if ([400, 403, 404].includes(answer.status))
        throw new TerminalError(`nothing can be published on "${topic}" of "${component}" (${answer.status})`);
      throw unexpected(`the pub/sub component "${component}" did not take it`, answer);
    },
  };
}
