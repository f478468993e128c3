/** An agent that is defined in TypeScript, as ascent.yaml would name it: `agents.support.module: ./order-desk.ts`. */
import { defineAgent, defineTool } from "ascent/agent";
import { z } from "zod";

const orders: Readonly<Record<string, string>> = { "1001": "left the house on Monday", "1002": "waits for payment" };

export default defineAgent({
  about: "orders and deliveries",
  instructions: ({ person, now }) =>
    `You look after orders. You talk with ${person.name ?? "somebody"}. Today is ${now.toISOString().slice(0, 10)}.`,
  tools: {
    order: defineTool({
      description: "How an order stands, by its number.",
      parameters: z.object({ number: z.string().regex(/^\d{4}$/, "has four digits") }),
      effect: "none",
      run: ({ number }) => `Order ${number} ${orders[number] ?? "is not known"}.`,
    }),
    cancel_order: defineTool({
      description: "Cancels an order, for good.",
      parameters: z.object({ number: z.string() }),
      run: ({ number }, { progress }) => {
        progress(`cancelling ${number}`);
        return `Order ${number} is cancelled.`;
      },
    }),
  },
  handoffs: ["sales"],
});
