import type { Profile } from "../../../src/skilled.ts";

/** @param asks whom it may ask. */
export const profileOf = (asks: readonly string[]): Profile => ({
  name: "analyst",
  title: "Analyst",
  description:
    "Computes: arithmetic, and questions about tables. Pass the person's words on as they are, with the CSV or JSON files that they are " +
    "about. It answers in text, with tables, and with charts as pictures. It remembers no files: send them with each new question." +
    (asks.length === 0 ? "" : ` It may ask ${asks.join(", ")} for data, where they can be reached.`),
  version: "1",
  skills: [
    {
      id: "compute",
      name: "Compute",
      description: "Computes what takes more than a calculator: loans, statistics, simulations, dates.",
      tags: ["math", "computation"],
      examples: ["What is the monthly rate of a loan of 200000 at 3.5 % over 20 years?", "17 * (4 + 5) / 3"],
    },
    {
      id: "analyse",
      name: "Analyse a table",
      description: "Sums, averages, groups, joins, trends and outliers of CSV or JSON files.",
      tags: ["data", "csv", "json", "statistics"],
      examples: [
        "sum of revenue by city",
        "Durchschnitt von Preis nach Monat",
        "Which customers bought less than last year?",
      ],
    },
    {
      id: "chart",
      name: "Draw a chart",
      description: "Bar, line, pie and scatter charts, as PNG.",
      tags: ["chart", "visualization"],
      examples: ["line chart of temperature by month", "Kreisdiagramm von Umsatz nach Stadt"],
    },
  ],
  // CSV by all the names that platforms give it.
  inputModes: [
    "text/plain",
    "text/csv",
    "application/csv",
    "text/comma-separated-values",
    "text/tab-separated-values",
    "application/vnd.ms-excel",
    "application/json",
  ],
  outputModes: ["text/plain", "image/png", "text/csv"],
});
