// An MQTT client in the page, through the port that the page came from. Packed apart, for "Try it" alone.
import mqtt, { type MqttClient } from 'mqtt';

export interface Credentials {
  username: string;
  password: string;
  clientId: string;
}

export interface Received {
  id: number;
  time: number; // milliseconds
  direction: 'in' | 'out';
  topic: string;
  text: string;
  qos: number;
  retain: boolean;
}

export interface ClientEvents {
  onState: (state: ClientState) => void;
  onMessage: (message: Received) => void;
}

export type ClientState = { at: 'connecting' | 'connected' | 'closed' } | { at: 'failed'; reason: string };

const textBytesMax = 16 * 1024;
let lastId = 0;

export function mqttAddress(page: Location): string {
  return `${page.protocol === 'https:' ? 'wss' : 'ws'}://${page.host}/mqtt`;
}

export class TryClient {
  private readonly client: MqttClient;

  constructor(
    credentials: Credentials,
    private readonly events: ClientEvents,
  ) {
    this.client = mqtt.connect(mqttAddress(location), {
      ...credentials,
      protocolVersion: 5,
      keepalive: 60,
      clean: true,
      reconnectPeriod: 0, // the ticket is for this one connection; somebody is looking
      timerVariant: 'native', // the policy of the pages allows no workers from blobs
      resubscribe: false,
    });
    this.client.on('connect', () => events.onState({ at: 'connected' }));
    this.client.on('error', (error) => events.onState({ at: 'failed', reason: error.message }));
    this.client.on('close', () => events.onState({ at: 'closed' }));
    this.client.on('message', (topic, payload, packet) =>
      events.onMessage(entry('in', topic, shownText(payload), packet.qos, packet.retain)),
    );
    events.onState({ at: 'connecting' });
  }

  // What the server granted; a refusal has a code of 0x80 or more.
  async subscribe(filter: string, qos: 0 | 1): Promise<void> {
    const [granted] = await this.client.subscribeAsync(filter, { qos });
    const code = granted?.qos as number | undefined;
    if (code !== undefined && code >= 0x80) throw new Error(`0x${code.toString(16)}`);
  }

  async unsubscribe(filter: string): Promise<void> {
    await this.client.unsubscribeAsync(filter);
  }

  async publish(topic: string, text: string, qos: 0 | 1): Promise<void> {
    const sent = entry('out', topic, text, qos, false);
    await this.client.publishAsync(topic, text, { qos });
    this.events.onMessage(sent); // it is none before the server took it
  }

  end(): void {
    this.client.end(false);
  }
}

function entry(direction: 'in' | 'out', topic: string, text: string, qos: number, retain: boolean): Received {
  return { id: (lastId += 1), time: Date.now(), direction, topic, text, qos, retain };
}

function shownText(payload: Uint8Array): string {
  const part = payload.subarray(0, textBytesMax);
  try {
    return new TextDecoder('utf-8', { fatal: payload.length <= textBytesMax }).decode(part);
  } catch {
    return [...part.subarray(0, 64)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  }
}
