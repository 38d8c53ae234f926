// The drawing of a plot. Apart from the rest of it, as its library is larger than the page around: fetched once the page
// is there.
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { locale } from '../i18n';
import { clock } from '../lib/format';
import type { PlotData } from './plot';

const height = 180;

// Steps of the axis: those of bytes are powers of two, others have no more digits than their texts show.
const powersOfTwo = Array.from({ length: 50 }, (_, power) => 2 ** power);
const decimals = Array.from({ length: 14 }, (_, power) => [1, 2, 5].map((one) => one * 10 ** power)).flat();
const tenths = [0.1, 0.2, 0.5, ...decimals];
const clockSteps = [1, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];
const leastSeconds = 60;
const steps = { whole: decimals, tenths, bytes: powersOfTwo };

// Fills `place`, and follows its width and the colours of the browser until end().
export class PlotCanvas {
  private plot: uPlot;
  private readonly observer: ResizeObserver;
  private readonly scheme = matchMedia('(prefers-color-scheme: dark)');

  constructor(
    private readonly place: HTMLElement,
    private data: PlotData,
    private readonly onLook: (index: number | null) => void, // at which sample the pointer is
  ) {
    this.plot = this.make();
    this.observer = new ResizeObserver(() => this.plot.setSize({ width: place.clientWidth, height }));
    this.observer.observe(place);
    this.scheme.addEventListener('change', this.makeAnew);
  }

  // Of the same series as before.
  show(data: PlotData): void {
    this.data = data;
    this.plot.setData(aligned(data));
  }

  end(): void {
    this.observer.disconnect();
    this.scheme.removeEventListener('change', this.makeAnew);
    this.plot.destroy();
  }

  private make(): uPlot {
    const wanted = options(this.place, this.data);
    wanted.hooks = { setCursor: [(plot) => this.onLook(plot.cursor.idx ?? null)] };
    return new uPlot(wanted, aligned(this.data), this.place);
  }

  private readonly makeAnew = () => {
    this.plot.destroy();
    this.plot = this.make();
  };
}

function aligned({ times, series }: PlotData): uPlot.AlignedData {
  return [times, ...series.map((one) => one.values)];
}

function options(place: HTMLElement, { series, text, unit, seconds }: PlotData): uPlot.Options {
  const line = colour(place, '--line');
  const axis = { stroke: colour(place, '--muted'), font: '12px system-ui, sans-serif' };
  return {
    width: place.clientWidth,
    height,
    legend: { show: false },
    cursor: { y: false, points: { size: 7 } },
    padding: [8, 18, 0, 0],
    scales: {
      x: { range: (_plot, low, high) => windowOf(low, high, seconds) },
      y: { range: (_plot, _low, high) => [0, Math.max(1, (high ?? 0) * 1.15)] },
    },
    axes: [
      {
        ...axis,
        size: 26,
        gap: 6,
        space: 76,
        incrs: clockSteps,
        grid: { show: false },
        ticks: { show: false },
        values: clockTexts,
      },
      {
        ...axis,
        size: 66,
        incrs: steps[unit],
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
  return splits.map((at) => clock(at * 1000, locale.value, !whole));
}

// Grows from a minute to the whole window while a server that has just started collects samples.
function windowOf(low: number | null, high: number | null, seconds: number): [number, number] {
  const end = high ?? Date.now() / 1000;
  const start = Math.min(low ?? end, end - leastSeconds);
  return [Math.max(start, end - seconds), end];
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
