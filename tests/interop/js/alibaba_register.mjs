// The vendor's own device SDK for Node.js, unmodified: registers with its product's secret over HTTPS, then connects
// with the secret it got. Its own settings point here: registerURL and brokerUrl.
import iot from 'alibabacloud-iot-device-sdk';

const job = JSON.parse(process.argv[2]);
const say = (...words) => console.log(words.join(' '));

iot.register({
  productKey: job.productKey,
  productSecret: job.productSecret,
  deviceName: job.deviceName,
  signMethod: job.signMethod,
  registerURL: job.registerURL,
}, (answer) => {
  if (answer.code !== 200) {
    say('refused', answer.code ?? answer.message);
    return;
  }
  say('registered', answer.data.deviceSecret);
  const device = iot.device({ ...answer.data, brokerUrl: job.brokerUrl });
  device.on('connect', () => {
    say('connected');
    device.end();
  });
  device.on('error', (error) => {
    say('failed', JSON.stringify(error));
    device.end(true);
  });
});
