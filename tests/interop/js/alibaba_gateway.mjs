// The vendor's own device SDK for Node.js, unmodified, as a gateway: takes a child into its topology, signs it in,
// speaks and listens for it, signs it out. Only brokerUrl points here.
import iot from 'alibabacloud-iot-device-sdk';

const job = JSON.parse(process.argv[2]);
const child = job.child;
const names = { productKey: child.productKey, deviceName: child.deviceName };
const topic = `/${child.productKey}/${child.deviceName}/user/echo`;
const say = (...words) => console.log(words.join(' '));

const gateway = iot.gateway({ ...job.gateway, brokerUrl: job.brokerUrl });

gateway.on('connect', () => gateway.addTopo([{ ...child }], (added) => {
  say('added', added.code);
  gateway.getTopo((topology) => {
    say('topology', topology.data.map((one) => one.deviceName).join());
    signIn();
  });
}));

function signIn() {
  const device = gateway.login({ ...child }, (answer) => say('login', answer.code));
  device.on('connect', () => device.subscribe(topic, { qos: 1 }, (error, granted) => {
    say('granted', error ? error.message : granted[0].qos);
    device.publish(topic, 'from the child', { qos: 1 }, (failed) => failed && say('failed', failed.message));
  }));
  device.on('error', () => gateway.end(true));
}

gateway.on('message', (on, payload) => {
  if (on !== topic) return;
  say('heard', payload.toString());
  gateway.logout(names, (answer) => {
    say('logout', answer.code);
    gateway.end();
  });
});

gateway.on('error', (error) => {
  say('failed', JSON.stringify(error));
  gateway.end(true);
});
