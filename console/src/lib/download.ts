// Hands a file to the browser.

export function download(name: string, parts: BlobPart[], type: string): void {
  const address = URL.createObjectURL(new Blob(parts, { type }));
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

export function bytesOfHex(hex: string): Uint8Array<ArrayBuffer> {
  const found = new Uint8Array(hex.length >> 1);
  for (let at = 0; at < found.length; at += 1) found[at] = Number.parseInt(hex.slice(2 * at, 2 * at + 2), 16);
  return found;
}

// A field of a CSV file; spreadsheets must not take a name for a formula.
export function csvField(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `\t${text}` : text;
  return /[",\n\r\t]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
