/** The command line: `ascent start | chat | send | doctor | pairing | …`. */
import { Command, InvalidArgumentError, Option } from "commander";
import { budgetScopes } from "../budgets.ts";
import { reasonOf } from "../errors.ts";
import { ConfigError } from "./config.ts";
import type { AddOptions, ListOptions, RemoveOptions } from "./commands/knowledge.ts";
import type { RouteOptions } from "./commands/routes.ts";
import type { EvalOptions } from "./commands/eval.ts";
import type { DoneOptions } from "./commands/review.ts";
import type { SendOptions } from "./commands/send.ts";
import type { UsageOptions } from "./commands/usage.ts";
import type { ReleaseOptions, SayOptions, TakeOptions } from "./commands/takeover.ts";
import { roles, type Role } from "./roles.ts";

// Commands are loaded when they are called: `ascent --help` need not wait for a gateway's worth of packages.
const program = new Command("ascent")
  .description("A gateway between people on messaging channels and AI agents")
  .showHelpAfterError();

program
  .command("start")
  .description("start the gateway")
  .addOption(
    new Option("--role <role>", "on Dapr: the channels alone, or the agents alone").choices(roles).default("all"),
  )
  .action(async ({ role }: { role: Role }) => (await import("./commands/start.ts")).start(role));

program
  .command("chat")
  .description("talk to the agent in this terminal: with the gateway that runs, or one started for it")
  .action(async () => (await import("./commands/chat.ts")).chat());

program
  .command("send")
  .description("write to a person or a group first; without any text it is read from the standard input")
  .argument("[text]", "markdown; it goes out as it is")
  .requiredOption("--to <whom>", "channel/account/id, such as telegram/main/7200001")
  .option("--group", "the id is a group's")
  .option("--thread <id>", "the topic or thread there")
  .option("--prompt", "the text is a note for the agent, which writes what it makes of it")
  .option("--topic <words>", "what such a note is about")
  .option("--id <id>", "the same id once more sends nothing again")
  .action(async (text: string | undefined, options: SendOptions) =>
    (await import("./commands/send.ts")).send(text, options),
  );

program
  .command("doctor")
  .description("check the configuration, the data, the model and every channel, and say what to do")
  .action(async () => (await import("./commands/doctor.ts")).doctor());

program
  .command("agents")
  .description("show the agents, and which of them answers where")
  .action(async () => (await import("./commands/routes.ts")).agents());

program
  .command("route")
  .description("say which agent answers somewhere, and why")
  .argument("<address>", "channel/account/id, such as telegram/main/7200001")
  .option("--group", "the id is a group's")
  .option("--thread <id>", "the topic or thread there")
  .option("--person <id>", "who writes there, where that is not the id itself")
  .option("--language <tag>", "theirs, as the platform tells it")
  .action(async (address: string, options: RouteOptions) =>
    (await import("./commands/routes.ts")).route(address, options),
  );

const pairing = program.command("pairing").description("people who ask to be let in");
pairing
  .command("list")
  .description("show who asks, the oldest first")
  .option("--json", "as JSON")
  .action(async (options: { json?: true }) => (await import("./commands/pairing.ts")).list(options));
pairing
  .command("approve")
  .description("let a person in")
  .argument("<who>", "the person's code, or channel/account/user id")
  .action(async (who: string) => (await import("./commands/pairing.ts")).decide(who, "approved"));
pairing
  .command("deny")
  .description("give a person no code for a day; also one who was let in before")
  .argument("<who>", "the person's code, or channel/account/user id")
  .action(async (who: string) => (await import("./commands/pairing.ts")).decide(who, "denied"));

const approvals = program.command("approvals").description("calls of tools that wait for a word");
approvals
  .command("list")
  .description("show them, the oldest first")
  .option("--json", "as JSON")
  .action(async (options: { json?: true }) => (await import("./commands/approvals.ts")).list(options));
for (const [name, description, approved] of [
  ["approve", "let the agent go on with one", true],
  ["deny", "tell the agent that one may not be", false],
] as const) {
  approvals
    .command(name)
    .description(description)
    .argument("<id>")
    .option("--note <words>", "for the agent")
    .action(async (id: string, { note }: { note?: string }) =>
      (await import("./commands/approvals.ts")).decide(id, approved, note),
    );
}

const missions = program.command("missions").description("work of several steps that agents have begun for people");
missions
  .command("list")
  .description("show those that are open, the newest first, then those that have ended")
  .option("--limit <n>", "how many at most", count, 100)
  .option("--json", "as JSON")
  .action(async (options: { limit: number; json?: true }) => (await import("./commands/missions.ts")).list(options));
missions
  .command("show")
  .description("show how the steps of one stand")
  .argument("<id>")
  .option("--json", "as JSON")
  .action(async (id: string, options: { json?: true }) => (await import("./commands/missions.ts")).show(id, options));
for (const [name, description] of [
  ["pause", "begin no step of one until it is resumed; tasks that are under way go on"],
  ["resume", "let one that is paused go on"],
  ["cancel", "end one, and cancel the tasks that are under way for it; the person is told"],
] as const) {
  missions
    .command(name)
    .description(description)
    .argument("<id>")
    .action(async (id: string) => (await import("./commands/missions.ts")).act(id, name));
}

const takeover = program.command("takeover").description("conversations that a person has instead of the agent");
const asWhom = () => new Option("--as <name>", "who does it; else the name of this machine's user");
takeover
  .command("list")
  .description("show who asks for a person, and who has which conversation, the oldest first")
  .option("--json", "as JSON")
  .action(async (options: { json?: true }) => (await import("./commands/takeover.ts")).list(options));
takeover
  .command("show")
  .description("show what was said in a conversation")
  .argument("<conversation>", "its id, or channel/account/id of a person")
  .option("--json", "as JSON")
  .action(async (conversation: string, options: { json?: true }) =>
    (await import("./commands/takeover.ts")).show(conversation, options),
  );
takeover
  .command("take")
  .description("have a conversation: the agent is silent there until it is released")
  .argument("<conversation>", "its id, or channel/account/id of a person or a group")
  .option("--group", "the id is a group's")
  .option("--thread <id>", "the topic or thread there")
  .option("--force", "also from another operator")
  .addOption(asWhom())
  .action(async (conversation: string, options: TakeOptions) =>
    (await import("./commands/takeover.ts")).take(conversation, options),
  );
takeover
  .command("say")
  .description("say something there; without any text it is read from the standard input")
  .argument("<conversation>", "its id, or channel/account/id of a person")
  .argument("[text]", "markdown")
  .option("--id <id>", "the same id once more says nothing again")
  .addOption(asWhom())
  .action(async (conversation: string, text: string | undefined, options: SayOptions) =>
    (await import("./commands/takeover.ts")).say(conversation, text, options),
  );
takeover
  .command("release")
  .description("leave the conversation to the agent again, or tell who asks that nobody can come")
  .argument("<conversation>", "its id, or channel/account/id of a person")
  .option("--note <words>", "for the agent")
  .option("--force", "also what another operator has")
  .addOption(asWhom())
  .action(async (conversation: string, options: ReleaseOptions) =>
    (await import("./commands/takeover.ts")).release(conversation, options),
  );

program
  .command("feedback")
  .description("thumbs that people put on answers")
  .addCommand(
    new Command("list")
      .description("show them, the latest rated answer first")
      .option("--limit <n>", "how many at most", count, 50)
      .option("--json", "as JSON")
      .action(async (options: { limit: number; json?: true }) =>
        (await import("./commands/feedback.ts")).list(options),
      ),
  )
  .addCommand(
    new Command("export")
      .description("print them as JSON, a line for each answer")
      .option("--limit <n>", "how many at most", count, 10_000)
      .action(async (options: { limit: number }) => (await import("./commands/feedback.ts")).exported(options)),
  );

const review = program
  .command("review")
  .description("answers that were rated low, or that their agent was in doubt of");
review
  .command("list")
  .description("show what nobody has reviewed yet, the newest first")
  .option("--done", "what is reviewed instead")
  .option("--limit <n>", "how many at most", count, 50)
  .option("--json", "with the conversations, as JSON")
  .action(async (options: { done?: true; limit: number; json?: true }) =>
    (await import("./commands/review.ts")).list(options),
  );
review
  .command("next")
  .description("take the oldest that nobody has, for an hour, and show them with their conversations")
  .option("--count <n>", "how many at most", count, 5)
  .option("--json", "as JSON")
  .addOption(asWhom())
  .action(async (options: { count: number; json?: true; as?: string }) =>
    (await import("./commands/review.ts")).next(options),
  );
review
  .command("done")
  .description("say what you found")
  .argument("<id>")
  .addOption(
    new Option("--verdict <verdict>", "what the answer is").choices(["good", "bad", "unclear"]).makeOptionMandatory(),
  )
  .option("--note <words>", "why")
  .option("--expected <words>", "what it should have said")
  .addOption(asWhom())
  .action(async (id: string, options: DoneOptions) => (await import("./commands/review.ts")).done(id, options));
review
  .command("export")
  .description("print what is reviewed as cases for `ascent eval`, a line each")
  .option("--limit <n>", "how many at most", count, 1_000)
  .action(async (options: { limit: number }) => (await import("./commands/review.ts")).exported(options));

program
  .command("eval")
  .description("play conversations of a file against an agent, and grade the answers by rules and by a model")
  .argument("<file>", "YAML, or JSON lines as `ascent review export` prints them")
  .option("--agent <name>", "whose answers; else the first agent's")
  .option("--model <spec>", "on this model instead of its own")
  .option("--instructions <file>", "with these instructions instead of its own")
  .option("--against <agent or model>", "compare with another agent, or with this one as it is on another model")
  .option("--judge <spec>", "the model that judges by the cases' rubrics, and compares")
  .option("--samples <n>", "judgements of each case; compared ones are made in both orders", count, 1)
  .option("--jobs <n>", "cases at once", count, 4)
  .option("--out <file>", "keep the report; an evaluation that was ended goes on with the same file")
  .option("--baseline <file>", "an earlier report to show the differences to")
  .option("--threshold <share>", "of the cases that have to pass; else the command fails", share, 1)
  .option("--price <input/output>", "of a million tokens, to show what it cost", price)
  .option(
    "--run <patterns...>",
    "tools of MCP servers that are really called; all others answer as recorded, or not at all",
    [],
  )
  .option("--json", "the report as JSON")
  .action(async (file: string, options: EvalOptions) =>
    (await import("./commands/eval.ts")).evaluateFile(file, options),
  );

program
  .command("journal")
  .description("show which messages were set aside and by which rule, the newest first")
  .option("--limit <n>", "how many at most", count, 100)
  .option("--json", "as JSON")
  .action(async (options: { limit: number; json?: true }) => (await import("./commands/journal.ts")).journal(options));

program
  .command("usage")
  .description("show what was used by day and by model, and how far its budgets are used")
  .addOption(new Option("--scope <scope>", "whose; the widest that is counted unless given").choices(budgetScopes))
  .option("--of <whom>", "channel/account/user, a conversation's id, channel/account, or a tenant")
  .option("--days <n>", "the last ones, today included", count, 7)
  .option("--json", "as JSON")
  .action(async (options: UsageOptions) => (await import("./commands/usage.ts")).usage(options));

program
  .command("receipts")
  .description("show how far a conversation's answers got, where its platform tells")
  .argument("<conversation>", "its id, as `ascent journal` and `ascent deadletters` show it")
  .option("--json", "as JSON")
  .action(async (conversation: string, options: { json?: true }) =>
    (await import("./commands/receipts.ts")).receipts(conversation, options),
  );

const letters = program.command("deadletters").description("what was given up after its retries");
letters
  .command("list")
  .description("show them, the newest first")
  .option("--limit <n>", "how many at most", count, 100)
  .option("--json", "the whole events, message text included, as JSON")
  .action(async (options: { limit: number; json?: true }) => (await import("./commands/deadletters.ts")).list(options));
letters
  .command("retry")
  .description("let one go its way again")
  .argument("<id>")
  .action(async (id: string) => (await import("./commands/deadletters.ts")).retry(id));
letters
  .command("drop")
  .description("delete one for good")
  .argument("<id>")
  .action(async (id: string) => (await import("./commands/deadletters.ts")).drop(id));

const webhooks = program.command("webhooks").description("what was sent to those who subscribed");
webhooks
  .command("log")
  .description("show it, the newest first, with what the receivers answered")
  .option("--limit <n>", "how many at most", count, 50)
  .option("--json", "as JSON")
  .action(async (options: { limit: number; json?: true }) => (await import("./commands/webhooks.ts")).log(options));
webhooks
  .command("replay")
  .description("send one again, under the same webhook-id")
  .argument("<id>")
  .action(async (id: string) => (await import("./commands/webhooks.ts")).replay(id));

program
  .command("agent")
  .description("skilled agents")
  .command("serve")
  .description("run one skilled agent as a process of its own, reached by A2A")
  .argument("<name>")
  .option("--port <n>", "the port it listens on, instead of server.port", port)
  .action(async (name: string, options: { port?: number }) =>
    (await import("./commands/agent.ts")).serve(name, options),
  );

const knowledge = program.command("knowledge").description("the documents that the agent `knowledge` answers from");
const ofTenant = () => new Option("--tenant <name>", "whose documents").default("default");
knowledge
  .command("add")
  .description("read documents; those that are known and have not changed are left as they are")
  .argument("<what...>", "files, directories or URLs")
  .option("--collection <name>", "what they belong to", "main")
  .option("--prune", "forget files of these directories that are there no more")
  .addOption(ofTenant())
  .action(async (what: string[], options: AddOptions) => (await import("./commands/knowledge.ts")).add(what, options));
knowledge
  .command("list")
  .description("show them")
  .option("--collection <name>", "those of one alone")
  .option("--json", "as JSON")
  .addOption(ofTenant())
  .action(async (options: ListOptions) => (await import("./commands/knowledge.ts")).list(options));
knowledge
  .command("remove")
  .description("forget documents")
  .argument("<what...>", "ids as the list shows them, files, directories or URLs")
  .option("--collection <name>", "those of one alone")
  .addOption(ofTenant())
  .action(async (what: string[], options: RemoveOptions) =>
    (await import("./commands/knowledge.ts")).remove(what, options),
  );
knowledge
  .command("search")
  .description("show the passages that the agent would find")
  .argument("<question>")
  .option("--collection <name>", "in one alone")
  .option("--json", "as JSON")
  .addOption(ofTenant())
  .action(async (question: string, options: ListOptions) =>
    (await import("./commands/knowledge.ts")).search(question, options),
  );

function share(given: string): number {
  const value = Number(given);
  if (!(value >= 0 && value <= 1)) throw new InvalidArgumentError("must be a share, from 0 to 1");
  return value;
}

function price(given: string): { input: number; output: number } {
  const [input = NaN, output = NaN, ...more] = given.split("/").map(Number);
  if (!(input >= 0 && output >= 0) || more.length > 0)
    throw new InvalidArgumentError("must be two numbers, such as 0.25/2");
  return { input, output };
}

function port(given: string): number {
  const value = Number(given);
  if (!Number.isInteger(value) || value < 0 || value > 65_535) throw new InvalidArgumentError("must be a port");
  return value;
}

function count(given: string): number {
  const value = Number(given);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("must be a whole number from 1 on");
  return value;
}

// `ascent doctor | head` ends quietly.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof ConfigError) {
    process.stderr.write(`The configuration is not valid:\n${error.problems.map((line) => `  ${line}\n`).join("")}`);
    process.exitCode = 2;
  } else {
    process.stderr.write(`${error instanceof Error ? error.message : reasonOf(error)}\n`);
    process.exitCode = 1;
  }
}
