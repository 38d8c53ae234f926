// A line plot over time that follows its data, its place and the theme. What it says as text is there at once.
import { useEffect, useRef, useState } from 'preact/hooks';
import { locale } from '../i18n';
import { clock, number } from '../lib/format';
import { theme } from '../state/preferences';
import type { PlotCanvas } from './plot-canvas';

export interface Series {
  id: string;
  label: string;
  values: number[];
}

export interface PlotData {
  times: number[]; // seconds since 1970
  series: Series[]; // at most six
  text: (value: number) => string;
  unit: 'whole' | 'tenths' | 'bytes'; // what the axis may count in
  seconds: number; // how far back it shows
}

interface PlotProps extends Omit<PlotData, 'text'> {
  title: string;
  empty: string; // shown in place of the legend when there is no series
  format?: PlotData['text'];
}

export function Plot({ title, times, series, empty, format, unit, seconds }: PlotProps) {
  const frame = useRef<HTMLDivElement>(null);
  const canvas = useRef<PlotCanvas>();
  const shape = `${series.map((one) => one.id).join()}|${theme.value}|${locale.value}`;
  const text = format ?? ((value: number) => number(value, locale.value));
  const latest = useRef<PlotData>({ times, series, text, unit, seconds });
  latest.current = { times, series, text, unit, seconds };
  const [looked, setLooked] = useState<number | null>(null);
  const lookedAt = looked === null ? undefined : times[looked];
  const valueOf = (one: Series) =>
    text((lookedAt === undefined ? undefined : one.values[looked ?? 0]) ?? one.values.at(-1) ?? 0);

  useEffect(() => {
    const place = frame.current;
    let ended = false;
    const draw = (library: typeof import('./plot-canvas')) => {
      if (place && !ended) canvas.current = new library.PlotCanvas(place, latest.current, setLooked);
    };
    import('./plot-canvas').then(draw, () => undefined); // without it the numbers stay
    return () => {
      ended = true;
      canvas.current?.end();
      canvas.current = undefined;
    };
  }, [shape]);

  useEffect(() => canvas.current?.show(latest.current), [times, series]);

  const now = series.map((one) => `${one.label} ${text(one.values.at(-1) ?? 0)}`).join(', ');
  return (
    <figure class="plot">
      <figcaption>
        <h3>{title}</h3>
        <ul class="legend">
          {lookedAt !== undefined && <li class="muted">{clock(lookedAt * 1000, locale.value)}</li>}
          {series.length === 0 && <li class="muted">{empty}</li>}
          {series.map((one, index) => (
            <li key={one.id}>
              <span class={`swatch plot-${index + 1}`} aria-hidden="true" />
              <span class="muted">{one.label}</span> <b>{valueOf(one)}</b>
            </li>
          ))}
        </ul>
      </figcaption>
      <div class="plot-frame" ref={frame} role="img" aria-label={`${title}: ${now || empty}`} />
    </figure>
  );
}
