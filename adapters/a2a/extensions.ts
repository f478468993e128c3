/** URIs of what agents of ours tell each other beside the protocol, in `metadata`. */

/** What a caller tells of the person that it asks for: `{ locale, timeZone }`. */
export const personExtension = "urn:ascent:a2a:person:v1";
/** `DELETE <agent>/tasks` and `<agent>/tasks/<id>`: open ones are cancelled, and nothing is left of the caller's tasks. */
export const eraseExtension = "urn:ascent:a2a:erase:v1";
/** On a task: nothing happens before, in ISO 8601. */
export const dueExtension = "urn:ascent:a2a:due:v1";
