import type { ReactNode } from "react";

const icon = (shape: ReactNode) =>
  function Icon({ size = 20 }: { readonly size?: number }) {
    return (
      <svg
        width={size}
        height={size}
        viewBox="0 0 24 24"
        fill="none"
        stroke="currentColor"
        strokeWidth="1.8"
        strokeLinecap="round"
        strokeLinejoin="round"
        aria-hidden="true"
      >
        {shape}
      </svg>
    );
  };

export const ArrowUp = icon(<path d="M12 19V5.5m0 0-6 6m6-6 6 6" />);
export const ArrowDown = icon(<path d="M12 5v13.5m0 0 6-6m-6 6-6-6" />);
export const ArrowRight = icon(<path d="M5 12h13.5m0 0-6-6m6 6-6 6" />);
export const Stop = icon(<rect x="7" y="7" width="10" height="10" rx="2" fill="currentColor" />);
export const Clip = icon(
  <path d="m20.5 11-8.6 8.6a5.2 5.2 0 0 1-7.4-7.4l8.6-8.6a3.5 3.5 0 0 1 4.9 4.9L9.4 17a1.75 1.75 0 0 1-2.4-2.4L15 6.7" />,
);
export const Cross = icon(<path d="m6.5 6.5 11 11m0-11-11 11" />);
export const Copy = icon(
  <>
    <rect x="9" y="9" width="11" height="11" rx="2.5" />
    <path d="M15 5.8A1.8 1.8 0 0 0 13.2 4H5.8A1.8 1.8 0 0 0 4 5.8v7.4A1.8 1.8 0 0 0 5.8 15" />
  </>,
);
const thumb =
  "M7.5 10.5 11 3.8a2.2 2.2 0 0 1 2.2 2.4l-.4 3.3h5a2 2 0 0 1 2 2.4l-1.3 6.5a2 2 0 0 1-2 1.6h-9m0-9.5v9.5m0-9.5h-3v9.5h3";
export const ThumbUp = icon(<path d={thumb} />);
export const ThumbDown = icon(<path d={thumb} transform="rotate(180 12 12)" />);
export const Check = icon(<path d="m5 12.5 4.6 4.6L19 7.5" />);
export const Compose = icon(
  <>
    <path d="M12 4.5H7A2.5 2.5 0 0 0 4.5 7v10A2.5 2.5 0 0 0 7 19.5h10a2.5 2.5 0 0 0 2.5-2.5v-5" />
    <path d="m10.2 13.8.6-2.8 7.1-7.1a1.55 1.55 0 0 1 2.2 2.2L13 13.2z" />
  </>,
);
export const FileIcon = icon(
  <>
    <path d="M13.5 3.5h-6a2 2 0 0 0-2 2v13a2 2 0 0 0 2 2h9a2 2 0 0 0 2-2v-10z" />
    <path d="M13.5 3.5v5h5" />
  </>,
);
export const Alert = icon(
  <>
    <circle cx="12" cy="12" r="8.5" />
    <path d="M12 8v4.5m0 3.2v.1" />
  </>,
);
export const Unplugged = icon(
  <>
    <path d="M4 4l16 16" />
    <path d="M8.6 6.4A6 6 0 0 1 17.4 10a4.3 4.3 0 0 1 3.4 6.4M6 9.3A4.9 4.9 0 0 0 7.5 18.5h8.8" />
  </>,
);

/** Two ridges, one behind the other: the product's sign. */
export function Mark({ size = 28 }: { readonly size?: number }) {
  return (
    <svg className="mark" width={size} height={size} viewBox="0 0 32 32" fill="none" aria-hidden="true">
      <rect className="mark-ground" width="32" height="32" rx="9" />
      <g strokeWidth="2.4" strokeLinecap="round" strokeLinejoin="round">
        <path className="mark-far" d="M6.5 23 13.2 11.4a1 1 0 0 1 1.7 0l3.3 5.6" />
        <path className="mark-near" d="m13.5 23 5.6-9.6a1 1 0 0 1 1.7 0L25.9 23" />
      </g>
    </svg>
  );
}
