/* Eclipse Paho for C (the blocking MQTTClient) on tcp, ssl, ws and wss: one job, events as in ../js/jobs.mjs.
 *
 * Arguments: job name, server URI, client id, user name, password, topic, file with the root certificate or "".
 * The library does not reconnect by itself: like the vendor's C SDKs this program connects again without subscribing
 * again, because subscriptions belong to the device. */
#include <MQTTClient.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { kQos = 1, kWaitMs = 5000, kLookMs = 50, kRetryUs = 300000 };

static const char *name;

static void report(const char *event) {
  printf("%s %s\n", name, event);
  fflush(stdout);
}

static int stdin_has_ended(void) {
  struct pollfd wait = {STDIN_FILENO, POLLIN, 0};
  char byte;
  return poll(&wait, 1, 0) > 0 && read(STDIN_FILENO, &byte, 1) <= 0;
}

static int connect_client(MQTTClient client, const char *username, const char *password, const char *root) {
  MQTTClient_connectOptions options = MQTTClient_connectOptions_initializer;
  MQTTClient_SSLOptions ssl = MQTTClient_SSLOptions_initializer;
  options.keepAliveInterval = 60;
  options.cleansession = 0;
  options.MQTTVersion = MQTTVERSION_3_1_1;
  options.connectTimeout = 10;
  options.username = username;
  options.password = password;
  if (root[0] != '\0') {
    ssl.trustStore = root;
    ssl.enableServerCertAuth = 1;
    ssl.verify = 1;
    options.ssl = &ssl;
  }
  return MQTTClient_connect(client, &options);
}

static int say(MQTTClient client, const char *topic, int connects) {
  char text[64];
  MQTTClient_deliveryToken token;
  const int size = snprintf(text, sizeof text, "connect %d h\xc3\xb6re", connects);
  if (MQTTClient_publish(client, topic, size, text, kQos, 0, &token) != MQTTCLIENT_SUCCESS) return -1;
  return MQTTClient_waitForCompletion(client, token, kWaitMs);
}

static void take(MQTTClient client, const char *topic) {
  char *from = NULL;
  int from_size = 0;
  MQTTClient_message *message = NULL;
  if (MQTTClient_receive(client, &from, &from_size, &message, kLookMs) < 0 || message == NULL) return;
  if (strcmp(from, topic) == 0 && message->payloadlen > 8) {
    printf("%s echo %.*s\n", name, message->payloadlen - 8, (const char *)message->payload + 8);
    fflush(stdout);
  }
  MQTTClient_freeMessage(&message);
  MQTTClient_free(from);
}

int main(int argc, char **argv) {
  MQTTClient client;
  int connects = 0;
  if (argc != 8) return 2;
  name = argv[1];
  const char *topic = argv[6];
  if (MQTTClient_create(&client, argv[2], argv[3], MQTTCLIENT_PERSISTENCE_NONE, NULL) != MQTTCLIENT_SUCCESS) return 1;
  while (!stdin_has_ended()) {
    if (MQTTClient_isConnected(client)) {
      take(client, topic);
      continue;
    }
    const int code = connect_client(client, argv[4], argv[5], argv[7]);
    if (code > 0) {
      printf("%s refused %d\n", name, code);
      fflush(stdout);
      break;
    }
    if (code != MQTTCLIENT_SUCCESS) {
      usleep(kRetryUs);
      continue;
    }
    ++connects;
    if (connects == 1) {
      const int granted = MQTTClient_subscribe(client, topic, kQos);
      report(granted == MQTTCLIENT_SUCCESS ? "subscribed" : "failed subscribe");
    }
    if (say(client, topic, connects) != MQTTCLIENT_SUCCESS) report("failed publish");
  }
  MQTTClient_disconnect(client, 1000);
  MQTTClient_destroy(&client);
  report("bye");
  return 0;
}
