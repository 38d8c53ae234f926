// Runs in the page: Paho's JavaScript client, one connection for each job. `tell` is given by the program around it.
'use strict';

const clients = [];

function startJob(job) {
  const client = new Paho.Client(job.url, job.clientId);
  let connects = 0;
  const say = (...words) => tell([job.name, ...words].join(' '));

  function talk() {
    connects += 1;
    const message = new Paho.Message(`connect ${connects} höre`);
    message.destinationName = job.topic;
    message.qos = 1;
    client.send(message);
  }

  function subscribeAndTalk() {
    client.subscribe(job.topic, {
      qos: 1,
      onSuccess(granted) {
        const qos = Number(granted.grantedQos);
        say(qos === 1 ? 'subscribed' : `failed granted ${qos}`);
        talk();
      },
      onFailure: (failure) => say('failed', failure.errorMessage),
    });
  }

  function connect() {
    client.connect({
      userName: job.username,
      password: job.password,
      keepAliveInterval: 60,
      cleanSession: false,
      mqttVersion: 4,
      timeout: 10,
      onSuccess: () => (connects === 0 ? subscribeAndTalk() : talk()),
      onFailure(failure) {
        const refused = /return code:(\d+)/.exec(failure.errorMessage);
        if (refused) say('refused', refused[1]);
        else setTimeout(connect, 300);
      },
    });
  }

  client.onMessageArrived = (message) => {
    if (message.destinationName === job.topic) say('echo', message.payloadString.replace(/^connect (\d+)/, '$1'));
  };
  client.onConnectionLost = (loss) => {
    if (loss.errorCode !== 0) setTimeout(connect, 300);
    else say('bye');
  };
  clients.push(client);
  connect();
}

function leaveAll() {
  for (const client of clients) if (client.isConnected()) client.disconnect();
}
