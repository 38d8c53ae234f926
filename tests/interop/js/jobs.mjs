// What every client program here has in common: jobs come as a JSON list in the first argument, events go to stdout as
// "<job> <event> ...", and the end of stdin means: say goodbye and leave.
//
// A job connects, subscribes its topic once, and after each connect (the first and those after a restart of the
// server) publishes a line and waits for it to come back. Events: "subscribed", "echo N text", "refused CODE", "bye".

export const jobs = JSON.parse(process.argv[2]);

export function report(job, ...words) {
  process.stdout.write([job.name, ...words].join(' ') + '\n');
}

// A diary of one job. `subscribe` and `publish` are what the library offers, each returning a promise.
export class Talk {
  constructor(job, { subscribe, publish }) {
    this.job = job;
    this.subscribe = subscribe;
    this.publish = publish;
    this.connects = 0;
  }

  async connected() {
    this.connects += 1;
    if (this.connects === 1) {
      await this.subscribe(this.job.topic);
      report(this.job, 'subscribed');
    }
    await this.publish(this.job.topic, `connect ${this.connects} höre`);
  }

  received(topic, payload) {
    if (topic === this.job.topic) report(this.job, 'echo', payload.toString().replace(/^connect (\d+)/, '$1'));
  }
}

// Runs `leave` for every job when stdin ends.
export function atEnd(leave) {
  process.stdin.resume();
  process.stdin.on('end', async () => {
    await leave();
    process.exit(0);
  });
}
