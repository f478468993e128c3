import { expect, test } from "vitest";
import { boundaryOf, multipartParser } from "./multipart.ts";

const BODY = [
  "--XX\r\n",
  'content-disposition:form-data;name="chat_id"\r\n\r\n7\r\n',
  '--XX\r\nContent-Disposition: form-data; name="caption"\r\n\r\n\r\n',
  '--XX\r\nContent-Disposition: form-data; name="f"; filename="a \\"b\\".txt"\r\nContent-Type: text/plain\r\n\r\n',
  "line\r\n--X not the end\r\n\r\n",
  "--XX--\r\n",
].join("");

test.each([1, 2, 3, 7, 1_000])("a body in chunks of %i bytes gives the same fields and files", (size) => {
  const parser = multipartParser("XX");
  const bytes = Buffer.from(BODY);
  for (let at = 0; at < bytes.length; at += size) parser.push(bytes.subarray(at, at + size));
  const parsed = parser.end();
  expect(parsed?.fields).toEqual({ chat_id: "7", caption: "" });
  const file = parsed?.files.get("f");
  expect(file).toMatchObject({ name: 'a "b".txt', mime: "text/plain" });
  expect(file?.data.toString()).toBe("line\r\n--X not the end\r\n");
});

test("a body without its closing boundary is no body", () => {
  const parser = multipartParser("XX");
  parser.push(Buffer.from(BODY.slice(0, -8)));
  expect(parser.end()).toBeUndefined();
});

test("a boundary may be quoted", () => {
  expect(boundaryOf('multipart/form-data; boundary="a b"; charset=utf-8')).toBe("a b");
  expect(boundaryOf("multipart/form-data; boundary=----x")).toBe("----x");
});
