import { describe, expect, it } from 'vitest';
import { literal, rootLine, shellQuoted, snippets, type SnippetInput } from '../src/lib/snippets';

const input: SnippetInput = {
  transport: 'wss',
  host: 'iot.example.org',
  port: 443,
  clientId: 'a1lamp.kitchen|securemode=2,signmethod=hmacsha256|',
  username: 'kitchen&a1lamp',
  password: 'f00d',
  productKey: 'a1lamp',
  deviceName: 'kitchen',
  deviceSecret: 'a secret',
  publishTo: '/a1lamp/kitchen/user/update',
  subscribeTo: '/a1lamp/kitchen/user/get',
};

const textOf = (changes: Partial<SnippetInput>, id: string) =>
  snippets({ ...input, ...changes })
    .find((one) => one.id === id)
    ?.parts.map((part) => part.text)
    .join('\n') ?? '';

describe('what is pasted', () => {
  it('is quoted', () => {
    expect(shellQuoted("it's")).toBe(`'it'\\''s'`);
    expect(literal('a "b" \\c')).toBe('"a \\"b\\" \\\\c"');
    expect(textOf({ username: "o'hara&a1" }, 'mosquitto')).toContain(`-u 'o'\\''hara&a1'`);
    expect(textOf({ username: 'the "best"' }, 'python')).toContain('username_pw_set("the \\"best\\""');
  });

  it('takes the transport', () => {
    const addresses = { tcp: 'mqtt://', tls: 'mqtts://', ws: 'ws://', wss: 'wss://' } as const;
    for (const transport of ['tcp', 'tls', 'ws', 'wss'] as const) {
      const webSocket = transport.startsWith('ws');
      const secure = transport === 'tls' || transport === 'wss';
      expect(textOf({ transport }, 'mqttjs')).toContain(
        `"${addresses[transport]}iot.example.org:443${webSocket ? '/mqtt' : ''}"`,
      );
      expect(textOf({ transport }, 'python').includes('websockets')).toBe(webSocket);
      for (const id of ['mosquitto', 'mqttjs', 'python', 'c']) {
        expect(textOf({ transport }, id).includes('ca.crt'), `${id} ${transport}`).toBe(secure);
      }
    }
  });

  it('has IPv6 addresses in brackets where they stand in URLs', () => {
    expect(rootLine({ ...input, host: '::1' })).toBe("curl -fsSk 'https://[::1]:443/ca.crt' -o ca.crt");
    expect(textOf({ host: '::1' }, 'c')).toContain('"wss://[::1]:443/mqtt"');
    expect(textOf({ host: '::1' }, 'mosquitto')).toContain("-h '::1' -p 443");
  });
});
