// Device lists in CSV files, cut into slices that one request may carry. What the rows mean is the server's to say;
// here only records are told apart, by the same rules (RFC 4180; a quote opens only an empty field).

export const sliceRowsMax = 1_000;
export const sliceBytesMax = 1024 * 1024;
export const recordCharactersMax = 64 * 1024;
const chunkBytes = 1024 * 1024;

export type CsvProblem = 'encoding' | 'utf16' | 'quote' | 'too-long' | 'empty' | 'columns';

export class CsvFailure extends Error {
  constructor(
    readonly problem: CsvProblem,
    readonly line: number,
  ) {
    super(`${problem} in line ${line}`);
  }
}

export interface CsvRecord {
  line: number; // on which it begins, from 1
  text: string; // without the line end
}

// Tells records apart in a text that comes in pieces.
export class RecordSplitter {
  private kept = '';
  private line = 1;
  private begin = 1;
  private quoted = false;
  private fieldEmpty = true;
  private closing = false; // behind a quote inside of quotes, which may be doubled

  push(piece: string): CsvRecord[] {
    const records: CsvRecord[] = [];
    let from = 0;
    for (let at = 0; at < piece.length; at += 1) {
      if (!this.endsRecord(piece[at] as string)) continue;
      this.keep(piece.slice(from, at));
      this.take(records);
      from = at + 1;
    }
    this.keep(piece.slice(from));
    return records;
  }

  end(): CsvRecord[] {
    if (this.quoted && !this.closing) throw new CsvFailure('quote', this.begin);
    const records: CsvRecord[] = [];
    this.take(records);
    return records;
  }

  get lines(): number {
    return this.line;
  }

  private endsRecord(c: string): boolean {
    if (c === '\n') this.line += 1;
    if (this.quoted) {
      if (this.closing && c !== '"') this.quoted = false;
      else this.closing = c === '"' && !this.closing;
      if (this.quoted) return false;
    }
    this.closing = false;
    if (c === '\n') return true;
    if (c === '"' && this.fieldEmpty) this.quoted = true;
    this.fieldEmpty = c === ',';
    return false;
  }

  private keep(text: string): void {
    this.kept += text;
    if (this.kept.length > recordCharactersMax) throw new CsvFailure('too-long', this.begin);
  }

  private take(records: CsvRecord[]): void {
    const text = this.kept.endsWith('\r') ? this.kept.slice(0, -1) : this.kept;
    if (text.trim() !== '') records.push({ line: this.begin, text });
    this.kept = '';
    this.begin = this.line;
    this.fieldEmpty = true;
    this.quoted = false;
    this.closing = false;
  }
}

export function fields(record: string): string[] {
  const found: string[] = [''];
  let quoted = false;
  for (let at = 0; at < record.length; at += 1) {
    const c = record[at] as string;
    const last = found.length - 1;
    if (quoted) {
      if (c === '"' && record[at + 1] !== '"') quoted = false;
      else found[last] += c;
      if (c === '"' && quoted) at += 1; // a doubled quote stands for one
    } else if (c === '"' && found[last] === '') quoted = true;
    else if (c === ',') found.push('');
    else found[last] += c;
  }
  return found.map((field) => field.trim());
}

// "Product Key", "product_key" and "ProductKey" are one name.
function plainName(text: string): string {
  return text.toLowerCase().replace(/[\s_-]/g, '');
}

export const wantedColumns = ['ProductKey', 'DeviceName', 'DeviceSecret'];

export function missingColumns(header: string): string[] {
  const names = fields(header).map(plainName);
  return wantedColumns.filter((column) => !names.includes(column.toLowerCase()));
}

export interface CsvSlice {
  text: string; // the header and some records
  rows: number;
  lines: number[]; // where each row begins in the file
  bytesRead: number; // of the file, up to here, about: progress
}

// Reads the file piece by piece, so that a large one needs little memory.
export async function* records(file: Blob): AsyncGenerator<{ records: CsvRecord[]; bytesRead: number }> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const splitter = new RecordSplitter();
  for (let from = 0; from < file.size; from += chunkBytes) {
    const part = new Uint8Array(await file.slice(from, from + chunkBytes).arrayBuffer());
    if (from === 0 && isUtf16(part)) throw new CsvFailure('utf16', 1);
    const last = from + chunkBytes >= file.size;
    const text = decoded(decoder, part, last, splitter.lines);
    yield { records: splitter.push(text), bytesRead: Math.min(from + chunkBytes, file.size) };
  }
  yield { records: splitter.end(), bytesRead: file.size };
}

function isUtf16(part: Uint8Array): boolean {
  return (part[0] === 0xff && part[1] === 0xfe) || (part[0] === 0xfe && part[1] === 0xff);
}

function decoded(decoder: TextDecoder, part: Uint8Array, last: boolean, line: number): string {
  try {
    return decoder.decode(part, { stream: !last });
  } catch {
    throw new CsvFailure('encoding', line + brokenLine(part));
  }
}

// Line ends in front of the first place that is no UTF-8: lines are tried one after the other.
function brokenLine(part: Uint8Array): number {
  const strict = new TextDecoder('utf-8', { fatal: true });
  let from = part.findIndex((byte) => (byte & 0xc0) !== 0x80); // a character that the piece before began
  for (let lines = 0; ; lines += 1) {
    const end = part.indexOf(0x0a, from);
    try {
      strict.decode(part.subarray(from, end < 0 ? part.length : end));
    } catch {
      return lines;
    }
    if (end < 0) return lines;
    from = end + 1;
  }
}

export async function* slices(file: Blob): AsyncGenerator<CsvSlice> {
  let header: string | undefined;
  let kept: CsvRecord[] = [];
  let characters = 0;
  let bytesRead = 0;
  const cut = (): CsvSlice => {
    const slice = {
      text: `${[header, ...kept.map((one) => one.text)].join('\n')}\n`,
      rows: kept.length,
      lines: kept.map((one) => one.line),
      bytesRead,
    };
    kept = [];
    characters = 0;
    return slice;
  };
  let before = 0;
  for await (const piece of records(file)) {
    for (const [index, record] of piece.records.entries()) {
      bytesRead = before + ((piece.bytesRead - before) * (index + 1)) / piece.records.length;
      if (header === undefined) {
        header = checkedHeader(record);
        continue;
      }
      kept.push(record);
      characters += record.text.length + 1;
      if (kept.length >= sliceRowsMax || characters >= sliceBytesMax) yield cut();
    }
    before = piece.bytesRead;
  }
  if (header === undefined) throw new CsvFailure('empty', 1);
  if (kept.length > 0) yield cut();
}

function checkedHeader(record: CsvRecord): string {
  if (missingColumns(record.text).length > 0) throw new CsvFailure('columns', record.line);
  return record.text;
}

export interface CsvPreview {
  columns: string[];
  rows: string[][];
}

export async function preview(file: Blob, rowsMax: number): Promise<CsvPreview> {
  const found: string[][] = [];
  for await (const piece of records(file)) {
    for (const record of piece.records) {
      if (found.length === 0) checkedHeader(record);
      found.push(fields(record.text));
      if (found.length > rowsMax) return { columns: found[0] ?? [], rows: found.slice(1) };
    }
  }
  if (found.length === 0) throw new CsvFailure('empty', 1);
  return { columns: found[0] ?? [], rows: found.slice(1) };
}
