import { formatted, MAX_TEXT } from "../formatting.ts";
import { object, text } from "../params.ts";
import { badRequest } from "../types.ts";
import { post, textFields } from "./common.ts";
import type { Method } from "./method.ts";

const ACTIONS = new Set(
  (
    "typing upload_photo record_video upload_video record_voice upload_voice upload_document choose_sticker " +
    "find_location record_video_note upload_video_note"
  ).split(" "),
);

/** "sendMessage". */
const sendMessage: Method = (context, params) => {
  const to = context.world.target(params);
  object(params, "link_preview_options"); // refused when it is no object
  const content = formatted(params, "text");
  if (content.text === "") throw badRequest("message text is empty");
  if (content.text.length > MAX_TEXT) throw badRequest("message is too long");
  return post(context, params, textFields("text", content), to);
};

/** "sendMessageDraft": a preview of 30 seconds that leaves no message behind. An empty text shows a placeholder. */
const sendMessageDraft: Method = ({ world }, params) => {
  const to = world.target(params);
  if (to.chat.type !== "private") throw badRequest("TEXTDRAFT_PEER_INVALID");
  if (Number(text(params, "draft_id")) === 0) throw badRequest("draft identifier must be non-zero");
  if (formatted(params, "text").text.length > MAX_TEXT) throw badRequest("message is too long");
  return true;
};

const sendChatAction: Method = ({ world }, params) => {
  world.target(params);
  if (!ACTIONS.has(text(params, "action"))) throw badRequest("wrong parameter action in request");
  return true;
};

const sendLocation: Method = (context, params) => {
  const [latitude, longitude] = [Number(text(params, "latitude")), Number(text(params, "longitude"))];
  if (text(params, "latitude") === "" || !(Math.abs(latitude) <= 90)) throw badRequest("invalid latitude specified");
  if (text(params, "longitude") === "" || !(Math.abs(longitude) <= 180))
    throw badRequest("invalid longitude specified");
  return post(context, params, { location: { latitude, longitude } });
};

const sendContact: Method = (context, params) => {
  const contact = { phone_number: text(params, "phone_number"), first_name: text(params, "first_name") };
  if (contact.phone_number === "") throw badRequest("phone number must be non-empty");
  if (contact.first_name === "") throw badRequest("first name must be non-empty");
  const last_name = text(params, "last_name");
  return post(context, params, { contact: last_name === "" ? contact : { ...contact, last_name } });
};

export const sendMethods: Readonly<Record<string, Method>> = {
  sendmessage: sendMessage,
  sendmessagedraft: sendMessageDraft,
  sendchataction: sendChatAction,
  sendlocation: sendLocation,
  sendcontact: sendContact,
};
