import { useEffect, useRef, useState } from "react";
import { ownUrl } from "../links.ts";
import type { Attachment } from "../wire.ts";
import { FileIcon } from "./icons.tsx";

export const bytes = (size: number): string => {
  if (size < 1000) return `${size} B`;
  if (size < 1_000_000) return `${Math.round(size / 1000)} kB`;
  return `${(size / 1_000_000).toFixed(size < 10_000_000 ? 1 : 0)} MB`;
};

/** Formats that hold pixels and nothing else: no SVG, which may hold script. */
export const isPicture = (type: string): boolean => /^image\/(png|jpe?g|gif|webp|avif|bmp)$/i.test(type);

const extension = (name: string): string => /\.([a-z0-9]{1,5})$/i.exec(name)?.[1]?.toUpperCase() ?? "FILE";

export function FileLabel({ name, detail }: { readonly name: string; readonly detail: string }) {
  return (
    <>
      <span className="file-icon">
        <FileIcon size={18} />
      </span>
      <span className="file-words">
        <span className="file-name">{name}</span>
        <span className="file-detail">{detail}</span>
      </span>
    </>
  );
}

/**
 * A local picture, drawn rather than linked: an object URL would need `blob:` in the content-security policy. Falls back
 * to nothing where the browser cannot decode it.
 */
export function LocalPicture({ file, size = 128 }: { readonly file: Blob; readonly size?: number }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [broken, setBroken] = useState(false);
  useEffect(() => {
    let current = true;
    const draw = async (): Promise<void> => {
      const picture = await createImageBitmap(file);
      const target = canvas.current;
      if (current && target !== null) {
        const scale = Math.max(size / picture.width, size / picture.height);
        const [width, height] = [picture.width * scale, picture.height * scale];
        target.getContext("2d")?.drawImage(picture, (size - width) / 2, (size - height) / 2, width, height);
      }
      picture.close();
    };
    draw().catch(() => current && setBroken(true));
    return () => {
      current = false;
    };
  }, [file, size]);
  if (broken) return <FileIcon size={22} />;
  return <canvas ref={canvas} width={size} height={size} aria-hidden="true" />;
}

export function Attachments({ attachments }: { readonly attachments: readonly Attachment[] }) {
  if (attachments.length === 0) return null;
  return (
    <ul className="attachments" aria-label="Attachments">
      {attachments.map((attachment) => (
        <li key={attachment.id}>
          <AttachmentView attachment={attachment} />
        </li>
      ))}
    </ul>
  );
}

function AttachmentView({ attachment }: { readonly attachment: Attachment }) {
  const { name, type, size } = attachment;
  const [loaded, setLoaded] = useState(false);
  const [broken, setBroken] = useState(false);
  const url = ownUrl(attachment.url, document.baseURI);
  const detail = `${extension(name)} · ${bytes(size)}`;
  if (url === undefined) {
    return (
      <span className="file">
        <FileLabel name={name} detail="Not available" />
      </span>
    );
  }
  if (isPicture(type) && !broken) {
    return (
      // The attribute that changes once it is loaded is also what makes the conversation scroll to its new end.
      <a className="picture" data-loaded={loaded} href={url} target="_blank" rel="noopener">
        <img src={url} alt={name} loading="lazy" onLoad={() => setLoaded(true)} onError={() => setBroken(true)} />
      </a>
    );
  }
  if (type.startsWith("audio/") && !broken) {
    // oxlint-disable-next-line jsx-a11y/media-has-caption -- what people and agents send has no caption track
    return <audio controls preload="metadata" src={url} aria-label={name} onError={() => setBroken(true)} />;
  }
  return (
    <a className="file" href={url} target="_blank" rel="noopener" download={name}>
      <FileLabel name={name} detail={detail} />
    </a>
  );
}
