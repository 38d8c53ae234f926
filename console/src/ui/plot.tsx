// A line plot over time that follows its data, its place and the theme. What it says as text is there at once.
import { useEffect, useRef } from 'preact/hooks';
import { locale } from '../i18n';
import { number } from '../lib/format';
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
  binary?: boolean; // steps of the axis are powers of two, for bytes
}

interface PlotProps extends Omit<PlotData, 'text'> {
  title: string;
  empty: string; // shown in place of the legend when there is no series
  format?: PlotData['text'];
}

export function Plot({ title, times, series, empty, format, binary }: PlotProps) {
  const frame = useRef<HTMLDivElement>(null);
  const canvas = useRef<PlotCanvas>();
  const shape = `${series.map((one) => one.id).join()}|${theme.value}|${locale.value}`;
  const text = format ?? ((value: number) => number(value, locale.value));
  const latest = useRef<PlotData>({ times, series, text, binary });
  latest.current = { times, series, text, binary };

  useEffect(() => {
    const place = frame.current;
    let ended = false;
    const draw = (library: typeof import('./plot-canvas')) => {
      if (place && !ended) canvas.current = new library.PlotCanvas(place, latest.current);
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
          {series.length === 0 && <li class="muted">{empty}</li>}
          {series.map((one, index) => (
            <li key={one.id}>
              <span class={`swatch plot-${index + 1}`} aria-hidden="true" />
              <span class="muted">{one.label}</span> <b>{text(one.values.at(-1) ?? 0)}</b>
            </li>
          ))}
        </ul>
      </figcaption>
      <div class="plot-frame" ref={frame} role="img" aria-label={`${title}: ${now || empty}`} />
    </figure>
  );
}
