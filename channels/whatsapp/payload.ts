/**
 * What Meta posts, as far as it is read. Everything may carry more than is named here, and may lack what is optional.
 * @see https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages
 */
import { z } from "zod";

const words = z.string().optional();
const seconds = z.coerce.number().int().nonnegative();

export const contact = z.looseObject({
  /** The phone number; absent for people who hide it behind a username. */
  wa_id: words,
  /** The person as this business sees it, whatever the phone number. */
  user_id: words,
  profile: z.looseObject({ name: words, username: words }).optional(),
});
export type Contact = z.infer<typeof contact>;

const media = z.looseObject({
  id: z.string().min(1),
  mime_type: words,
  caption: words,
  filename: words,
  /** Of an audio: recorded here and now. */
  voice: z.boolean().optional(),
  animated: z.boolean().optional(),
});
export type Media = z.infer<typeof media>;

const choice = z.looseObject({ id: z.string(), title: words });

/** What a message holds, by its `type`. */
const content = {
  text: z.looseObject({ body: z.string() }).optional(),
  image: media.optional(),
  video: media.optional(),
  audio: media.optional(),
  document: media.optional(),
  sticker: media.optional(),
  location: z
    .looseObject({ latitude: z.coerce.number(), longitude: z.coerce.number(), name: words, address: words })
    .optional(),
  contacts: z
    .array(
      z.looseObject({
        name: z.looseObject({ formatted_name: words, first_name: words, last_name: words }).optional(),
        phones: z.array(z.looseObject({ phone: words, wa_id: words })).optional(),
        vcard: words,
      }),
    )
    .optional(),
  interactive: z
    .looseObject({
      button_reply: choice.optional(),
      list_reply: choice.optional(),
      nfm_reply: z.looseObject({ body: words, response_json: words }).optional(),
    })
    .optional(),
  /** A quick reply of a template. */
  button: z.looseObject({ payload: words, text: words }).optional(),
  order: z
    .looseObject({
      text: words,
      product_items: z
        .array(
          z.looseObject({ product_retailer_id: z.coerce.string().optional(), quantity: z.coerce.string().optional() }),
        )
        .default([]),
    })
    .optional(),
  unsupported: z.looseObject({ type: words }).optional(),
  context: z.looseObject({ id: words, from: words }).nullish(),
};

const written = z.looseObject({ type: z.string(), ...content });
export type Written = z.infer<typeof written>;

export const message = z.looseObject({
  id: z.string().min(1),
  /** The phone number, where it is known. */
  from: words,
  from_user_id: words,
  group_id: words,
  timestamp: seconds,
  type: z.string(),
  ...content,
  reaction: z.looseObject({ message_id: z.string().min(1), emoji: words }).optional(),
  edit: z.looseObject({ original_message_id: z.string().min(1), message: written }).optional(),
  revoke: z.looseObject({ original_message_id: z.string().min(1) }).optional(),
});

/** What became of a message that Meta had accepted. */
export const status = z.looseObject({
  id: z.string().min(1),
  status: z.string(),
  timestamp: seconds.optional(),
  recipient_id: words,
  recipient_user_id: words,
  /** What the sender gave along. */
  biz_opaque_callback_data: words,
  errors: z.array(z.looseObject({ code: z.coerce.number(), title: words })).default([]),
});
export type Status = z.infer<typeof status>;

export const value = z.looseObject({
  metadata: z.looseObject({ display_phone_number: words, phone_number_id: z.string() }),
  contacts: z.array(z.unknown()).default([]),
  messages: z.array(z.unknown()).default([]),
  statuses: z.array(z.unknown()).default([]),
  errors: z.array(z.looseObject({ code: z.coerce.number() })).default([]),
});
export type Value = z.infer<typeof value>;

const change = z.looseObject({ field: z.string(), value: z.unknown() });
export const entry = z.looseObject({ id: z.coerce.string(), changes: z.array(change) });
export const payload = z.looseObject({ object: z.literal("whatsapp_business_account"), entry: z.array(z.unknown()) });
