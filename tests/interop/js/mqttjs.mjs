// MQTT.js, version 5 or 4 (second argument: the package), on tcp, tls, ws and wss.
import { readFileSync } from 'node:fs';
import { atEnd, jobs, report, Talk } from './jobs.mjs';

const { default: mqtt } = await import(process.argv[3]);
const clients = jobs.map(start);

function start(job) {
  const client = mqtt.connect(job.url, {
    clientId: job.clientId,
    username: job.username,
    password: job.password,
    ca: job.ca ? readFileSync(job.ca) : undefined,
    protocolVersion: 4,
    clean: false,
    keepalive: 60,
    reconnectPeriod: 300,
    resubscribe: false,
  });
  const talk = new Talk(job, {
    subscribe: (topic) => new Promise((done, fail) => client.subscribe(topic, { qos: 1 }, (error, granted) => {
      if (error || granted[0].qos !== 1) fail(error || new Error(`granted ${granted[0].qos}`));
      else done();
    })),
    publish: (topic, text) => new Promise((done, fail) => client.publish(topic, text, { qos: 1 }, (error) => {
      if (error) fail(error);
      else done();
    })),
  });
  client.on('connect', () => talk.connected().catch((error) => report(job, 'failed', error.message)));
  client.on('message', (topic, payload) => talk.received(topic, payload));
  client.on('error', (error) => {
    const code = error.code ?? error.returnCode;
    if (typeof code === 'number') {
      report(job, 'refused', code);
      client.end(true);
    } else if (talk.connects === 0) {
      report(job, 'failed', error.message);
    }
  });
  return client;
}

atEnd(() => Promise.all(clients.map((client, i) => new Promise((done) => {
  client.end(false, () => {
    report(jobs[i], 'bye');
    done();
  });
}))));
