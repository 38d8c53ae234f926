// A device list on its way into the registry: slice by slice, so that the progress is real and can be stopped.
import { api, ask, type ImportReport } from '../api/client';
import { slices } from './csv';

export interface Refusal {
  line: number;
  productKey: string;
  deviceName: string;
  reason: string;
}

export interface ImportState {
  rows: number;
  created: number;
  changed: number;
  unchanged: number;
  refused: number;
  refusals: Refusal[]; // the first ones
  productsCreated: string[];
  share: number; // of the file, 0 to 1
}

export const refusalsShownMax = 200;

export const nothingYet: ImportState = {
  rows: 0,
  created: 0,
  changed: 0,
  unchanged: 0,
  refused: 0,
  refusals: [],
  productsCreated: [],
  share: 0,
};

// `lines` are where the rows of this report stand in the file.
export function addReport(state: ImportState, report: ImportReport, lines: number[], share: number): ImportState {
  const refusals = report.refusals.map((one) => ({
    line: lines[one.row] ?? 0,
    productKey: one.productKey,
    deviceName: one.deviceName,
    reason: one.reason,
  }));
  return {
    rows: state.rows + lines.length,
    created: state.created + report.created,
    changed: state.changed + report.changed,
    unchanged: state.unchanged + report.unchanged,
    refused: state.refused + report.refused,
    refusals: [...state.refusals, ...refusals].slice(0, refusalsShownMax),
    productsCreated: [...new Set([...state.productsCreated, ...report.productsCreated])],
    share,
  };
}

interface ImportWanted {
  file: File;
  dryRun: boolean;
  signal: AbortSignal;
  onProgress: (state: ImportState) => void;
}

export async function importFile({ file, dryRun, signal, onProgress }: ImportWanted): Promise<ImportState> {
  let state = nothingYet;
  for await (const slice of slices(file)) {
    const report = await ask(
      api.POST('/devices:import-csv', {
        params: { query: { dryRun, firstLine: slice.lines[0] } },
        body: slice.text,
        bodySerializer: (text) => text,
        headers: { 'Content-Type': 'text/csv' },
        signal,
      }),
    );
    state = addReport(state, report, slice.lines, file.size === 0 ? 1 : slice.bytesRead / file.size);
    onProgress(state);
  }
  return { ...state, share: 1 };
}
