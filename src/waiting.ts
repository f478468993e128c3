/** How many messages of one conversation wait where. */

/**
 * `together`: one turn answers so many. `inbox`: so many are in the inbox, which every message rewrites; more wait behind them,
 * under keys of their own. `behind`: so many; more stay on the bus until some are answered.
 */
export const waiting = { together: 32, inbox: 64, behind: 1_000 } as const;
