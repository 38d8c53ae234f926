// A line plot over time that follows its data, its place and the theme.
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { useEffect, useRef } from 'preact/hooks';
import { locale } from '../i18n';
import { number } from '../lib/format';
import { theme } from '../state/preferences';

export interface Series {
  id: string;
  label: string;
  values: number[];
}

interface PlotProps {
  title: string;
  times: number[]; // seconds since 1970
  series: Series[]; // at most six
  empty: string; // shown in place of the legend when there is no series
  format?: (value: number) => string;
  binary?: boolean; // steps of the axis are powers of two, for bytes
}

const height = 180;

const powersOfTwo = Array.from({ length: 50 }, (_, power) => 2 ** power);

export function Plot({ title, times, series, empty, format, binary }: PlotProps) {
  const frame = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>();
  const shape = `${series.map((one) => one.id).join()}|${theme.value}|${locale.value}`;
  const text = format ?? ((value: number) => number(value, locale.value));
  const data = [times, ...series.map((one) => one.values)] as uPlot.AlignedData;

  useEffect(() => {
    const place = frame.current;
    if (!place) return;
    const make = () => {
      plot.current?.destroy();
      plot.current = new uPlot(options(place, series, text, binary), data, place);
    };
    make();
    const observer = new ResizeObserver(() => plot.current?.setSize({ width: place.clientWidth, height }));
    observer.observe(place);
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', make);
    return () => {
      observer.disconnect();
      scheme.removeEventListener('change', make);
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [shape]);

  useEffect(() => plot.current?.setData(data), [times, series]);

  const latest = series.map((one) => `${one.label} ${text(one.values.at(-1) ?? 0)}`).join(', ');
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
      <div class="plot-frame" ref={frame} role="img" aria-label={`${title}: ${latest || empty}`} />
    </figure>
  );
}

type Text = (value: number) => string;

function options(place: HTMLElement, series: Series[], text: Text, binary = false): uPlot.Options {
  const line = colour(place, '--line');
  const axis = { stroke: colour(place, '--muted'), font: '12px system-ui, sans-serif' };
  return {
    width: place.clientWidth,
    height,
    legend: { show: false },
    cursor: { y: false, points: { size: 7 } },
    padding: [8, 18, 0, 0],
    scales: { y: { range: (_plot, _low, high) => [0, Math.max(1, (high ?? 0) * 1.15)] } },
    axes: [
      { ...axis, size: 26, gap: 6, space: 84, grid: { show: false }, ticks: { show: false }, values: clockTexts },
      {
        ...axis,
        size: 66,
        ...(binary ? { incrs: powersOfTwo } : {}),
        grid: { stroke: line, width: 1 },
        ticks: { show: false },
        values: (_plot, splits) => splits.map((value) => (value === null ? '' : text(value))),
      },
    ],
    series: [
      {},
      ...series.map((one, index) => ({
        label: one.label,
        stroke: colour(place, `--plot-${index + 1}`),
        fill: index === 0 ? colour(place, '--plot-fill') : undefined,
        width: 1.75,
        points: { show: false },
      })),
    ],
  };
}

function clockTexts(_plot: uPlot, splits: number[]): string[] {
  const whole = splits.every((at) => at % 60 === 0);
  const format = new Intl.DateTimeFormat(locale.value, {
    hour: '2-digit',
    minute: '2-digit',
    ...(whole ? {} : { second: '2-digit' }),
    hour12: false,
  });
  return splits.map((at) => format.format(new Date(at * 1000)));
}

// A canvas wants a plain colour: what a name of the style sheet comes to here.
function colour(place: HTMLElement, name: string): string {
  const probe = document.createElement('span');
  probe.style.color = `var(${name})`;
  place.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}
