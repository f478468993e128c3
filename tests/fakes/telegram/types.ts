/** The objects of the Bot API that the fake makes or reads (core.telegram.org/bots/api, "Available types"). */
export interface User {
  id: number;
  is_bot: boolean;
  first_name: string;
  last_name?: string;
  username?: string;
  language_code?: string;
}

export type ChatType = "private" | "group" | "supergroup" | "channel";

export interface Chat {
  id: number;
  type: ChatType;
  title?: string;
  username?: string;
  first_name?: string;
  is_forum?: true;
}

export interface Entity {
  type: string;
  offset: number;
  length: number;
  url?: string;
  user?: User;
  language?: string;
  custom_emoji_id?: string;
  unix_time?: number;
}

/** A text with its entities; offsets and lengths count UTF-16 code units. */
export interface Formatted {
  text: string;
  entities: Entity[];
}

export interface Message {
  message_id: number;
  date: number;
  chat: Chat;
  from?: User;
  text?: string;
  caption?: string;
  entities?: Entity[];
  caption_entities?: Entity[];
  edit_date?: number;
  media_group_id?: string;
  message_thread_id?: number;
  reply_to_message?: Message;
  reply_markup?: unknown;
  [field: string]: unknown;
}

/** The kinds of updates that the users of the fake can cause ("Update"). */
export type UpdateKind =
  | "message"
  | "edited_message"
  | "channel_post"
  | "edited_channel_post"
  | "business_message"
  | "callback_query"
  | "my_chat_member"
  | "message_reaction"
  | "stopped_message_generation";

export type Params = Record<string, unknown>;

/** A refusal, sent as `{ok: false, error_code, description, parameters}` ("Making requests"). */
export class ApiError extends Error {
  readonly code: number;
  readonly parameters: Readonly<Record<string, number>> | undefined;

  constructor(code: number, description: string, parameters?: Readonly<Record<string, number>>) {
    super(description);
    this.code = code;
    this.parameters = parameters;
  }
}

export function badRequest(description: string): ApiError {
  return new ApiError(400, `Bad Request: ${description}`);
}

export function tooManyRequests(seconds: number): ApiError {
  return new ApiError(429, `Too Many Requests: retry after ${seconds}`, { retry_after: seconds });
}
