// Programs that sign in as a device, ready to paste. Each takes the transport that was chosen, publishes a greeting and
// shows what the device is sent.

export interface SnippetInput {
  transport: 'tcp' | 'tls' | 'ws' | 'wss';
  host: string; // IPv6 without brackets
  port: number;
  clientId: string;
  username: string;
  password: string;
  productKey: string;
  deviceName: string;
  deviceSecret: string | undefined;
  publishTo: string;
  subscribeTo: string;
}

export type SnippetId = 'mosquitto' | 'mqttjs' | 'python' | 'c' | 'sdk';

export interface Snippet {
  id: SnippetId;
  parts: { title: string; text: string }[];
}

const isSecure = ({ transport }: SnippetInput) => transport === 'tls' || transport === 'wss';
const isWebSocket = ({ transport }: SnippetInput) => transport === 'ws' || transport === 'wss';

function place({ host, port }: SnippetInput): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

// For a POSIX shell.
export function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

// A string literal that C, JavaScript and Python read alike.
export function literal(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

// Once, so that the others can verify the server. The certificate itself is compared by its fingerprint.
export function rootLine(input: SnippetInput): string {
  return `curl -fsSk ${shellQuoted(`https://${place(input)}/ca.crt`)} -o ca.crt`;
}

export function snippets(input: SnippetInput): Snippet[] {
  return [
    {
      id: 'mosquitto',
      parts: [
        {
          title: 'mosquitto_pub',
          text: `${mosquitto('pub', input)} \\\n  -t ${shellQuoted(input.publishTo)} -m hello`,
        },
        { title: 'mosquitto_sub', text: `${mosquitto('sub', input)} \\\n  -v -t ${shellQuoted(input.subscribeTo)}` },
      ],
    },
    { id: 'mqttjs', parts: [{ title: 'device.cjs', text: mqttJs(input) }] },
    { id: 'python', parts: [{ title: 'device.py', text: python(input) }] },
    { id: 'c', parts: [{ title: 'device.c', text: c(input) }] },
    { id: 'sdk', parts: [{ title: 'C SDK', text: sdk(input) }] },
  ];
}

// Its programs speak no WebSocket: they take the same port without it.
function mosquitto(program: 'pub' | 'sub', input: SnippetInput): string {
  const words = [
    `mosquitto_${program} -h ${shellQuoted(input.host)} -p ${input.port}${isSecure(input) ? ' --cafile ca.crt' : ''}`,
    `-i ${shellQuoted(input.clientId)}`,
    `-u ${shellQuoted(input.username)} -P ${shellQuoted(input.password)} -q 1`,
  ];
  return words.join(' \\\n  ');
}

function mqttJs(input: SnippetInput): string {
  const scheme = { tcp: 'mqtt', tls: 'mqtts', ws: 'ws', wss: 'wss' }[input.transport];
  const url = `${scheme}://${place(input)}${isWebSocket(input) ? '/mqtt' : ''}`;
  return [
    '// npm install mqtt',
    ...(isSecure(input) ? ["const { readFileSync } = require('fs');"] : []),
    `const client = require('mqtt').connect(${literal(url)}, {`,
    `  clientId: ${literal(input.clientId)},`,
    `  username: ${literal(input.username)},`,
    `  password: ${literal(input.password)},`,
    ...(isSecure(input) ? ["  ca: readFileSync('ca.crt'),"] : []),
    '});',
    "client.on('connect', () => {",
    `  client.subscribe(${literal(input.subscribeTo)}, { qos: 1 });`,
    `  client.publish(${literal(input.publishTo)}, 'hello', { qos: 1 });`,
    '});',
    "client.on('message', (topic, payload) => console.log(topic, payload.toString()));",
    "client.on('error', (error) => console.error(error.message));",
  ].join('\n');
}

function python(input: SnippetInput): string {
  return [
    '# apt install python3-paho-mqtt, or pip install paho-mqtt',
    'import paho.mqtt.client as mqtt',
    '',
    '',
    'def on_connect(client, *_):',
    `    client.subscribe(${literal(input.subscribeTo)}, qos=1)`,
    `    client.publish(${literal(input.publishTo)}, "hello", qos=1)`,
    '',
    '',
    'def on_message(client, _, message):',
    '    print(message.topic, message.payload.decode(), flush=True)',
    '',
    '',
    `client = mqtt.Client(client_id=${literal(input.clientId)}${isWebSocket(input) ? ',\n                     transport="websockets"' : ''})`,
    `client.username_pw_set(${literal(input.username)},`,
    `                       ${literal(input.password)})`,
    ...(isSecure(input) ? ['client.tls_set("ca.crt")'] : []),
    'client.on_connect = on_connect',
    'client.on_message = on_message',
    `client.connect(${literal(input.host)}, ${input.port}, keepalive=60)`,
    'client.loop_forever()',
  ].join('\n');
}

function c(input: SnippetInput): string {
  const scheme = { tcp: 'tcp', tls: 'ssl', ws: 'ws', wss: 'wss' }[input.transport];
  const url = `${scheme}://${place(input)}${isWebSocket(input) ? '/mqtt' : ''}`;
  return [
    '// apt install libpaho-mqtt-dev; cc device.c -o device -lpaho-mqtt3cs',
    '#include <MQTTClient.h>',
    '#include <stdio.h>',
    '',
    'int main(void) {',
    '  MQTTClient client;',
    '  MQTTClient_connectOptions options = MQTTClient_connectOptions_initializer;',
    `  options.username = ${literal(input.username)};`,
    `  options.password = ${literal(input.password)};`,
    ...(isSecure(input)
      ? [
          '  MQTTClient_SSLOptions tls = MQTTClient_SSLOptions_initializer;',
          '  tls.trustStore = "ca.crt";',
          '  tls.verify = 1;',
          '  options.ssl = &tls;',
        ]
      : []),
    `  MQTTClient_create(&client, ${literal(url)},`,
    `                    ${literal(input.clientId)},`,
    '                    MQTTCLIENT_PERSISTENCE_NONE, NULL);',
    '  int status = MQTTClient_connect(client, &options);',
    '  if (status != MQTTCLIENT_SUCCESS) {',
    '    fprintf(stderr, "not connected: %d\\n", status);',
    '    return 1;',
    '  }',
    `  MQTTClient_subscribe(client, ${literal(input.subscribeTo)}, 1);`,
    `  MQTTClient_publish(client, ${literal(input.publishTo)}, 5, "hello", 1, 0, NULL);`,
    '  while (MQTTClient_isConnected(client)) {',
    '    char *topic = NULL;',
    '    int length = 0;',
    '    MQTTClient_message *message = NULL;',
    '    MQTTClient_receive(client, &topic, &length, &message, 1000);',
    '    if (message == NULL) continue;',
    '    printf("%s %.*s\\n", topic, message->payloadlen, (char *)message->payload);',
    '    fflush(stdout);',
    '    MQTTClient_freeMessage(&message);',
    '    MQTTClient_free(topic);',
    '  }',
    '}',
  ].join('\n');
}

// The values that the vendor's C SDKs have in their examples.
function sdk(input: SnippetInput): string {
  return [
    `char *product_key   = ${literal(input.productKey)};`,
    `char *device_name   = ${literal(input.deviceName)};`,
    `char *device_secret = ${literal(input.deviceSecret ?? '')};`,
    `char *mqtt_host     = ${literal(input.host)};`,
    `uint16_t port       = ${input.port};`,
  ].join('\n');
}
