// The vendor's own device SDK for Node.js, unmodified: only brokerUrl points here. It cannot be told about a root
// certificate, so the caller names ours in NODE_EXTRA_CA_CERTS, as its users would.
import iot from 'alibabacloud-iot-device-sdk';
import { atEnd, jobs, report, Talk } from './jobs.mjs';

const devices = jobs.map(start);

function start(job) {
  const device = iot.device({
    productKey: job.productKey,
    deviceName: job.deviceName,
    deviceSecret: job.deviceSecret,
    brokerUrl: job.url,
  });
  const talk = new Talk(job, {
    subscribe: (topic) => new Promise((done, fail) => device.subscribe(topic, { qos: 1 }, (error, granted) => {
      if (error || granted[0].qos !== 1) fail(error || new Error(`granted ${granted[0].qos}`));
      else done();
    })),
    publish: (topic, text) => new Promise((done, fail) => device.publish(topic, text, { qos: 1 }, (error) => {
      if (error) fail(error);
      else done();
    })),
  });
  device.on('connect', () => talk.connected().catch((error) => report(job, 'failed', error.message)));
  device.on('message', (topic, payload) => talk.received(topic, payload));
  device.on('error', (found) => {
    const error = Array.isArray(found) ? found[0] : found;
    if (typeof error.code === 'number') {
      report(job, 'refused', error.code);
      device.end(true);
    } else if (talk.connects === 0) {
      report(job, 'failed', error.message);
    }
  });
  return device;
}

atEnd(() => Promise.all(devices.map((device, i) => new Promise((done) => {
  device.end(false, () => {
    report(jobs[i], 'bye');
    done();
  });
}))));
