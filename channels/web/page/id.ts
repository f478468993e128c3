/** A version 4 UUID. `crypto.randomUUID` is absent on plain-http origins other than localhost. */
export const uuid = (): string => {
  const random = crypto.getRandomValues(new Uint8Array(16));
  const bytes = random.map((byte, i) => (i === 6 ? (byte & 0x0f) | 0x40 : i === 8 ? (byte & 0x3f) | 0x80 : byte));
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
};
