import { array, isObject, object, text } from "../params.ts";
import { badRequest, type Params } from "../types.ts";
import type { Method } from "./method.ts";

/** getFile offers what is up to 20 MB for download ("getFile"). */
const MAX_DOWNLOAD = 20 * 1024 * 1024;

const getMe: Method = ({ world }) => ({
  ...world.me,
  can_join_groups: true,
  can_read_all_group_messages: world.readsAllGroupMessages,
  supports_inline_queries: false,
  can_connect_to_business: true,
  has_main_web_app: false,
  has_topics_enabled: false,
  allows_users_to_create_topics: false,
  can_manage_bots: false,
  supports_join_request_queries: false,
});

const setMyCommands: Method = ({ world }, params) => {
  const commands = array(params, "commands") ?? [];
  if (commands.length > 100) throw badRequest("BOT_COMMANDS_TOO_MUCH");
  for (const command of commands) {
    if (!isObject(command) || !/^[a-z0-9_]{1,32}$/.test(text(command, "command")))
      throw badRequest("BOT_COMMAND_INVALID");
    const length = text(command, "description").length;
    if (length < 1 || length > 256) throw badRequest("BOT_COMMAND_DESCRIPTION_INVALID");
  }
  world.commands.set(commandScope(params), commands);
  return true;
};

const getMyCommands: Method = ({ world }, params) => world.commands.get(commandScope(params)) ?? [];

const deleteMyCommands: Method = ({ world }, params) => {
  world.commands.delete(commandScope(params));
  return true;
};

function commandScope(params: Params): string {
  return `${JSON.stringify(object(params, "scope") ?? { type: "default" })}/${text(params, "language_code")}`;
}

const getFile: Method = ({ world }, params) => {
  const file = world.fileById(text(params, "file_id"));
  if (file === undefined) throw badRequest("invalid file_id");
  if (file.size > MAX_DOWNLOAD) throw badRequest("file is too big");
  return { file_id: file.fileId, file_unique_id: file.uniqueId, file_size: file.size, file_path: file.path };
};

const getChat: Method = ({ world }, params) => {
  const { chat } = world.target(params);
  return { ...chat, accent_color_id: 0, max_reaction_count: 11, accepted_gift_types: {} };
};

const leaveChat: Method = ({ world }, params) => {
  const state = world.target(params);
  if (state.chat.type === "private") throw badRequest("chat member status can't be changed in private chats");
  state.botStatus = "left";
  return true;
};

export const botMethods: Readonly<Record<string, Method>> = {
  getme: getMe,
  setmycommands: setMyCommands,
  getmycommands: getMyCommands,
  deletemycommands: deleteMyCommands,
  getfile: getFile,
  getchat: getChat,
  leavechat: leaveChat,
};
