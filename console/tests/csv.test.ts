import { describe, expect, it } from 'vitest';
import { CsvFailure, fields, missingColumns, preview, RecordSplitter, sliceRowsMax, slices } from '../src/lib/csv';

const header = 'ProductKey,DeviceName,DeviceSecret';

function file(...parts: (string | Uint8Array<ArrayBuffer>)[]): Blob {
  return new Blob(parts);
}

async function all(blob: Blob) {
  const found = [];
  for await (const slice of slices(blob)) found.push(slice);
  return found;
}

async function failureOf(blob: Blob): Promise<CsvFailure> {
  const failure = await all(blob).then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(failure).toBeInstanceOf(CsvFailure);
  return failure as CsvFailure;
}

describe('records', () => {
  it('are told apart wherever the text was cut', () => {
    const text = 'a,"b\nc",d\r\n"say ""hi""",x\n\n"",last';
    const whole = [...new RecordSplitter().push(`${text}\n`)];
    expect(whole.map((one) => one.text)).toEqual(['a,"b\nc",d', '"say ""hi""",x', '"",last']);
    expect(whole.map((one) => one.line)).toEqual([1, 3, 5]);
    for (let cut = 0; cut <= text.length; cut += 1) {
      const splitter = new RecordSplitter();
      const found = [...splitter.push(text.slice(0, cut)), ...splitter.push(text.slice(cut)), ...splitter.end()];
      expect(found).toEqual(whole);
    }
  });

  it('take a quote inside of a field as it is', () => {
    expect(fields('5" pipe,"a ""b"" c", trimmed ')).toEqual(['5" pipe', 'a "b" c', 'trimmed']);
    expect(new RecordSplitter().push('5" pipe\nnext\n').length).toBe(2);
  });

  it('name the line of a quote that is never closed', async () => {
    const failure = await failureOf(file(`${header}\na,b,c\na,"b,c\nd,e,f\n`));
    expect([failure.problem, failure.line]).toEqual(['quote', 3]);
  });

  it('have a bound', async () => {
    const failure = await failureOf(file(`${header}\n"${'x'.repeat(200_000)}`));
    expect([failure.problem, failure.line]).toEqual(['too-long', 2]);
  });
});

describe('slices', () => {
  it('have the header in front and hold every row once', async () => {
    const rows = Array.from({ length: 2 * sliceRowsMax + 7 }, (_, index) => `pk,device-${index},secret`);
    const found = await all(file(`\ufeff${header}\r\n${rows.join('\r\n')}\r\n`));
    expect(found.map((one) => one.rows)).toEqual([sliceRowsMax, sliceRowsMax, 7]);
    expect(found.every((one) => one.text.startsWith(`${header}\n`))).toBe(true);
    expect(found.flatMap((one) => one.text.trim().split('\n').slice(1))).toEqual(rows);
    expect(found[1]?.lines[0]).toBe(sliceRowsMax + 2);
    const shares = found.map((one) => one.bytesRead);
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
    expect(shares[0]).toBeGreaterThan(0);
    expect(new Set(shares).size).toBe(3);
  });

  it('name the line that is no UTF-8', async () => {
    const broken = new Uint8Array([0x61, 0x2c, 0xff, 0x2c, 0x63, 0x0a]);
    const failure = await failureOf(file(`${header}\na,b,c\n电表,b,c\n`, broken));
    expect([failure.problem, failure.line]).toEqual(['encoding', 4]);
  });

  it('take characters that two pieces of the file share', async () => {
    const rows = `pk,${'电'.repeat(20_000)},s\n`.repeat(40);
    const [first] = await all(file(`${header}\n`, rows));
    expect(first?.text.includes('\ufffd')).toBe(false);
  });

  it('refuse UTF-16, empty files and wrong columns', async () => {
    expect((await failureOf(file(new Uint8Array([0xff, 0xfe, 0x41, 0x00])))).problem).toBe('utf16');
    expect((await failureOf(file(''))).problem).toBe('empty');
    expect((await failureOf(file('name,secret\na,b\n'))).problem).toBe('columns');
  });

  it('know the columns by several spellings', () => {
    expect(missingColumns('device_secret, Product Key,DEVICENAME,remark')).toEqual([]);
    expect(missingColumns('ProductKey,Name')).toEqual(['DeviceName', 'DeviceSecret']);
  });
});

describe('the preview', () => {
  it('shows the first rows only', async () => {
    const found = await preview(file(`${header}\n${'pk,<b>x</b>,s\n'.repeat(500)}`), 6);
    expect(found.columns).toEqual(['ProductKey', 'DeviceName', 'DeviceSecret']);
    expect(found.rows).toHaveLength(6);
    expect(found.rows[0]).toEqual(['pk', '<b>x</b>', 's']);
  });
});
