import { marked, type Token, type Tokens } from "marked";
import { createContext, memo, use, useMemo, type ReactNode } from "react";
import { decode, safeHref } from "../links.ts";
import { CopyButton } from "./copy.tsx";

/**
 * Markdown as React elements: marked only reads it, and nothing here can become markup that the text itself holds. Raw
 * HTML is shown as the text it is.
 */
export const Markdown = memo(function Markdown({ text }: { readonly text: string }) {
  const tokens = useMemo(() => lex(text), [text]);
  if (tokens === undefined) return <p className="plain">{text}</p>;
  const top = Math.min(
    6,
    ...tokens.flatMap((token) => (token.type === "heading" ? [(token as Tokens.Heading).depth] : [])),
  );
  return (
    <TopHeading value={top}>
      {tokens.map((token, index) => (
        <Block key={index} raw={token.raw} token={token} />
      ))}
    </TopHeading>
  );
});

/** The highest heading that a text uses, of whatever depth, stands directly below the page's own. */
const TopHeading = createContext(1);

const lex = (text: string): readonly Token[] | undefined => {
  try {
    return marked.lexer(text, { gfm: true, breaks: true });
  } catch {
    // Thousands of nested quotes overflow the lexer's stack.
    return undefined;
  }
};

/** While an answer streams in, only its last block changes: equal source means an equal element. */
const Block = memo(
  function Block({ token }: { readonly raw: string; readonly token: Token }) {
    return block(token);
  },
  (before, after) => before.raw === after.raw && before.token.type === after.token.type,
);

const all = (tokens: readonly Token[] | undefined, one: (token: Token) => ReactNode): ReactNode =>
  (tokens ?? []).map((token, index) => <Keyed key={index}>{one(token)}</Keyed>);

function Keyed({ children }: { readonly children: ReactNode }) {
  return children;
}

const inlines = (tokens: readonly Token[] | undefined): ReactNode => all(tokens, inline);

const levels = ["h2", "h3", "h4", "h5", "h6"] as const;

function Heading({ depth, children }: { readonly depth: number; readonly children: ReactNode }) {
  const Tag = levels[Math.max(0, depth - use(TopHeading))] ?? "h6";
  return <Tag className={`heading-${Math.min(depth, 4)}`}>{children}</Tag>;
}

const block = (token: Token): ReactNode => {
  const known = token as
    | Tokens.Heading
    | Tokens.Paragraph
    | Tokens.Code
    | Tokens.Blockquote
    | Tokens.List
    | Tokens.Table;
  switch (known.type) {
    case "heading":
      return <Heading depth={known.depth}>{inlines(known.tokens)}</Heading>;
    case "paragraph":
      return <p>{inlines(known.tokens)}</p>;
    case "code":
      return <CodeBlock code={known.text} language={known.lang} />;
    case "blockquote":
      return <blockquote>{all(known.tokens, block)}</blockquote>;
    case "list":
      return <List list={known} />;
    case "table":
      return <Table table={known} />;
  }
  if (token.type === "hr") return <hr />;
  if (token.type === "space" || token.type === "def") return null;
  if (token.type === "html") return <p className="plain">{token.raw.trimEnd()}</p>;
  return inline(token);
};

const inline = (token: Token): ReactNode => {
  const known = token as
    | Tokens.Strong
    | Tokens.Em
    | Tokens.Del
    | Tokens.Codespan
    | Tokens.Link
    | Tokens.Image
    | Tokens.Text;
  switch (known.type) {
    case "strong":
      return <strong>{inlines(known.tokens)}</strong>;
    case "em":
      return <em>{inlines(known.tokens)}</em>;
    case "del":
      return <del>{inlines(known.tokens)}</del>;
    case "codespan":
      return <code>{known.text}</code>;
    case "link":
      return <Link href={known.href}>{inlines(known.tokens)}</Link>;
    case "image":
      // Fetching a picture from elsewhere would tell its server who reads this: offer it as a link.
      return <Link href={known.href}>{known.text === "" ? known.href : decode(known.text)}</Link>;
    case "text":
      return known.tokens === undefined ? decode(known.text) : inlines(known.tokens);
  }
  if (token.type === "br") return <br />;
  if (token.type === "escape") return decode((token as Tokens.Escape).text);
  if (token.type === "checkbox") return null;
  return token.raw;
};

function Link({ href, children }: { readonly href: string; readonly children: ReactNode }) {
  const safe = safeHref(decode(href));
  if (safe === undefined) return <span className="dead-link">{children}</span>;
  return (
    <a href={safe} target="_blank" rel="noopener noreferrer nofollow">
      {children}
    </a>
  );
}

function List({ list }: { readonly list: Tokens.List }) {
  const items = list.items.map((item, index) => (
    <li key={index} className={item.task ? "task" : undefined}>
      {item.task && (
        <input
          type="checkbox"
          checked={item.checked === true}
          disabled
          readOnly
          aria-label={item.checked === true ? "Done" : "To do"}
        />
      )}
      {all(item.tokens, block)}
    </li>
  ));
  if (!list.ordered) return <ul>{items}</ul>;
  return <ol start={list.start === "" ? 1 : list.start}>{items}</ol>;
}

const aligned = (align: string | null | undefined): string | undefined =>
  align == null ? undefined : `align-${align}`;

function Table({ table }: { readonly table: Tokens.Table }) {
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reachable by keyboard
    <div className="table" role="region" aria-label="Table" tabIndex={0}>
      <table>
        <thead>
          <tr>
            {table.header.map((cell, column) => (
              <th key={column} scope="col" className={aligned(table.align[column])}>
                {inlines(cell.tokens)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {table.rows.map((cells, index) => (
            <tr key={index}>
              {cells.map((cell, column) => (
                <td key={column} className={aligned(table.align[column])}>
                  {inlines(cell.tokens)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function CodeBlock({ code, language }: { readonly code: string; readonly language: string | undefined }) {
  const name = language?.trim().split(/[\s{:]/)[0];
  return (
    <figure className="code">
      <figcaption>
        <span>{name === undefined || name === "" ? "text" : name}</span>
        <CopyButton text={() => code} label="Copy code" />
      </figcaption>
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reachable by keyboard */}
      <pre tabIndex={0}>
        <code>{code}</code>
      </pre>
    </figure>
  );
}
