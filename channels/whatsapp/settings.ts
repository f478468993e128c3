import { z } from "zod";

const mb = 1024 * 1024;
const digits = /^\d+$/;
const given = (value: string | undefined): value is string => value !== undefined && value !== "";

/** What the Cloud API needs, and where it is had; without any of it nobody can be answered, or be believed. */
const credentials = {
  token: "take a system user's permanent token from Meta's business settings",
  phoneNumberId: "take the phone number's id (not the number) from WhatsApp > API Setup",
  appSecret: "copy it from App settings > Basic; without it anybody could speak for any person",
  verifyToken: "choose a long random text and give Meta the same one with the webhook's address",
} as const;

/** One WhatsApp number: by Meta's Cloud API, or, with `web`, as a linked device of a phone. */
export const whatsappSettings = z
  .object({
    token: z.string().optional(),
    phoneNumberId: z.string().optional(),
    /** Signs what Meta posts. */
    appSecret: z.string().optional(),
    /** What Meta says once, when the webhook's address is registered. */
    verifyToken: z.string().optional(),
    apiRoot: z
      .url({ protocol: /^https?$/ })
      .default("https://graph.facebook.com")
      .transform((url) => url.replace(/\/+$/, "")),
    apiVersion: z
      .string()
      .regex(/^v\d+\.\d+$/, "is a version such as v25.0")
      .default("v25.0"),
    /** An approved template with one parameter in its body: what goes out when the person has not written for 24 hours. */
    template: z
      .object({
        name: z.string().min(1),
        language: z.string().min(2).default("en_US"),
        /** Its name, where the template's parameters have names. */
        parameter: z.string().optional(),
      })
      .optional(),
    /** On the button that opens a list of choices. */
    listButton: z.string().min(1).max(20).default("Choose"),
    /** Marks messages as read when their answer is being worked on. */
    readMarks: z.boolean().default(true),
    /** The most bytes of a medium taken in. */
    mediaMaxBytes: z
      .number()
      .int()
      .positive()
      .default(100 * mb),
    /** "on": WhatsApp Web instead of the Cloud API. Unofficial: WhatsApp may ban the number. */
    web: z
      .union([z.boolean(), z.enum(["on", "off"]).transform((word) => word === "on")], 'must be "on" or "off"')
      .default(false),
    /** The browser that WhatsApp Web runs in. */
    chromium: z.string().default("/usr/bin/chromium"),
    /** So long WhatsApp Web may take to get ready, not counting the scan; then its browser is started anew. */
    webReadySeconds: z.number().positive().default(120),
  })
  .superRefine((settings, context) => {
    if (settings.web) return;
    for (const [name, next] of Object.entries(credentials)) {
      const value = settings[name as keyof typeof credentials];
      if (given(value) && (name !== "phoneNumberId" || digits.test(value))) continue;
      const what = given(value) ? "is no id, which has digits only" : "is not set";
      context.addIssue({ code: "custom", path: [name], message: `${what}: ${next}` });
    }
  });

export type WhatsAppSettings = z.input<typeof whatsappSettings>;
export type WhatsAppOptions = z.output<typeof whatsappSettings>;

/** The settings of an account on the Cloud API, where all credentials are there. */
export type CloudOptions = WhatsAppOptions & Readonly<Record<keyof typeof credentials, string>>;
