/** What an operator does about people who ask to be let in. */
import { noticeFor, shownCode } from "./access.ts";
import type { Channel } from "./channel.ts";
import { messageId, type AccountRef } from "./ids.ts";
import type { WayIn } from "./inbound.ts";
import type { InboundNotice } from "./message.ts";
import type { Asking, Pairing } from "./pairing.ts";
import type { Policy } from "./policy.ts";
import type { Clock } from "./ports.ts";

/** Who asks, as an operator is shown it. What people call themselves is their own word. */
export interface Asked {
  readonly code: string;
  readonly channel: string;
  readonly account: string;
  readonly user: string;
  readonly name?: string;
  readonly handle?: string;
  readonly at: number;
  readonly until: number;
}

export interface Operators {
  /** The accounts are those whose people are meant. */
  asked(accounts: readonly AccountRef[]): Promise<readonly Asked[]>;
  /**
   * `who` is a code, or "channel/account/user". Whoever is approved may write from then on, and is told so where the gateway
   * can; whoever is denied is given no code for a day, also where they were approved before.
   * @throws InputError where nobody is meant.
   */
  decide(
    who: string,
    state: "approved" | "denied",
    accounts: readonly AccountRef[],
  ): Promise<Pick<Asked, "channel" | "account" | "user">>;
}

export interface OperatorsOptions {
  readonly pairing: Pairing;
  readonly inbound: WayIn;
  readonly clock: Clock;
  readonly channelOf: (to: AccountRef) => Channel | undefined;
  readonly policyOf: (to: AccountRef) => Policy;
}

export function createOperators({ pairing, inbound, clock, channelOf, policyOf }: OperatorsOptions): Operators {
  const pairs = (accounts: readonly AccountRef[]) => accounts.filter((of) => policyOf(of).access === "pairing");

  /** Once for each code. */
  function welcome({ code, address, participant }: Asking): InboundNotice {
    const id = messageId(address, "asked", code);
    return noticeFor({ id, address, participant, receivedAt: clock.now() }, { key: "paired" });
  }

  return {
    async asked(accounts) {
      return (await pairing.list(pairs(accounts))).map(({ code, at, until, address, participant }) => ({
        code: shownCode(code),
        channel: address.channel,
        account: address.account,
        user: participant.user,
        ...(participant.name === undefined ? {} : { name: participant.name }),
        ...(participant.handle === undefined ? {} : { handle: participant.handle }),
        at,
        until,
      }));
    },
    async decide(who, state, accounts) {
      const { account, user } = await pairing.decide(who, state, pairs(accounts), async (asked) => {
        const tells = channelOf(asked.address)?.traits.refuses !== true;
        if (state === "approved" && tells) await inbound.tell(welcome(asked));
      });
      return { channel: account.channel, account: account.account, user };
    },
  };
}
