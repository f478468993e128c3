/** What the analyst says by itself, in the languages that its rules read. */
import type { Operation } from "./programs.ts";

export type Language = "en" | "de" | "es";

interface Words {
  readonly operation: Readonly<Record<Operation, string>>;
  readonly of: string;
  readonly by: string;
  readonly rows: string;
  readonly columns: (file: string, names: string) => string;
  readonly unknown: (name: string, file: string, names: string) => string;
  readonly noNumbers: (name: string) => string;
  readonly tooMany: (count: number) => string;
  readonly help: string;
  readonly noFile: string;
}

export const wordsIn: Readonly<Record<Language, Words>> = {
  en: {
    operation: { sum: "Sum", mean: "Average", min: "Minimum", max: "Maximum", count: "Count" },
    of: "of",
    by: "by",
    rows: "rows",
    columns: (file, names) => `The columns of ${file}: ${names}`,
    unknown: (name, file, names) => `${file} has no column “${name}”. It has: ${names}`,
    noNumbers: (name) => `The column “${name}” is not of numbers alone, so I cannot compute with it.`,
    tooMany: (count) => `There are ${count} groups, too many for this chart; here they are as a table.`,
    help:
      "I run without a language model and understand simple requests only, such as “sum of revenue by city”, “average price”, “bar chart of " +
      "revenue by city” about a CSV or JSON file that comes with them, or plain arithmetic such as “17 * (4 + 5)”.",
    noFile: "Send the CSV or JSON file with the request.",
  },
  de: {
    operation: { sum: "Summe", mean: "Durchschnitt", min: "Minimum", max: "Maximum", count: "Anzahl" },
    of: "von",
    by: "nach",
    rows: "Zeilen",
    columns: (file, names) => `Die Spalten von ${file}: ${names}`,
    unknown: (name, file, names) => `${file} hat keine Spalte „${name}“. Es gibt: ${names}`,
    noNumbers: (name) => `Die Spalte „${name}“ besteht nicht nur aus Zahlen, damit kann ich nicht rechnen.`,
    tooMany: (count) => `Es sind ${count} Gruppen, zu viele für dieses Diagramm; hier sind sie als Tabelle.`,
    help:
      "Ich laufe ohne Sprachmodell und verstehe nur einfache Anfragen wie „Summe von Umsatz nach Stadt“, „Durchschnitt von Preis“, " +
      "„Balkendiagramm von Umsatz nach Stadt“ zu einer mitgeschickten CSV- oder JSON-Datei, oder Rechnungen wie „17 * (4 + 5)“.",
    noFile: "Bitte schicke die CSV- oder JSON-Datei mit.",
  },
  es: {
    operation: { sum: "Suma", mean: "Promedio", min: "Mínimo", max: "Máximo", count: "Número" },
    of: "de",
    by: "por",
    rows: "filas",
    columns: (file, names) => `Las columnas de ${file}: ${names}`,
    unknown: (name, file, names) => `${file} no tiene la columna «${name}». Tiene: ${names}`,
    noNumbers: (name) => `La columna «${name}» no contiene solo números, así que no puedo calcular con ella.`,
    tooMany: (count) => `Hay ${count} grupos, demasiados para este gráfico; aquí están como tabla.`,
    help:
      "Funciono sin modelo de lenguaje y solo entiendo peticiones sencillas, como «suma de ventas por ciudad», «promedio de precio» o «gráfico " +
      "de barras de ventas por ciudad», con un archivo CSV o JSON adjunto, o cálculos como «17 * (4 + 5)».",
    noFile: "Adjunta el archivo CSV o JSON.",
  },
};
