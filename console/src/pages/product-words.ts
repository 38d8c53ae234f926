import type { Product } from '../api/client';
import { t } from '../i18n';
import type { Choice } from '../ui/field';

// Names need not differ; keys do.
export function productLabel({ name, productKey }: Product): string {
  return name ? `${name} · ${productKey}` : productKey;
}

export function profileChoices(): Choice<Product['profile']>[] {
  return [
    { value: 'aliyun', label: t('profile.aliyun') },
    { value: 'mqtt', label: t('profile.mqtt') },
  ];
}

export function authTypeChoices(): Choice<Product['authType']>[] {
  return [
    { value: 'secret', label: t('authType.secret') },
    { value: 'x509', label: t('authType.x509') },
  ];
}

export function registrationChoices(): Choice<Product['dynamicRegistration']>[] {
  return [
    { value: 'off', label: t('registration.off') },
    { value: 'on', label: t('registration.on') },
    { value: 'on-without-preregistration', label: t('registration.open') },
  ];
}

export function firstUseChoices(): Choice<Product['firstUse']>[] {
  return [
    { value: 'off', label: t('firstUse.off') },
    { value: 'existing', label: t('firstUse.existing') },
    { value: 'create', label: t('firstUse.create') },
  ];
}

export type Right = 'all' | 'pub' | 'sub';
export interface TopicClass {
  suffix: string;
  right: Right;
}

export function rightChoices(): Choice<Right>[] {
  return [
    { value: 'pub', label: t('right.pub') },
    { value: 'sub', label: t('right.sub') },
    { value: 'all', label: t('right.all') },
  ];
}

// 'user/echo:all' as the API writes it.
export function parseTopicClass(text: string): TopicClass {
  const colon = text.lastIndexOf(':');
  const right = text.slice(colon + 1);
  return { suffix: text.slice(0, colon), right: right === 'pub' || right === 'sub' ? right : 'all' };
}

export function topicClassText({ suffix, right }: TopicClass): string {
  return `${suffix}:${right}`;
}

export interface KnownTopic {
  topic: string;
  toDevice: boolean; // the device may subscribe to it
  fromDevice: boolean;
}

interface DeviceName {
  productKey: string;
  deviceName: string;
}

// What the product's topic classes come to for a device.
export function topicsOf(product: Product, { productKey, deviceName }: DeviceName): KnownTopic[] {
  return product.topicClasses.map(parseTopicClass).map(({ suffix, right }) => ({
    topic: `/${productKey}/${deviceName}/${suffix}`,
    toDevice: right !== 'pub',
    fromDevice: right !== 'sub',
  }));
}

// To try with: the first topics that the device may use either way, without wildcards.
export function exampleTopics(product: Product, device: DeviceName): { publishTo: string; subscribeTo: string } {
  const known = topicsOf(product, device).filter(({ topic }) => !/[#+]/.test(topic));
  const own = (suffix: string) => `/${device.productKey}/${device.deviceName}/${suffix}`;
  return {
    publishTo: known.find((one) => one.fromDevice)?.topic ?? own('user/update'),
    subscribeTo: known.find((one) => one.toDevice)?.topic ?? own('user/get'),
  };
}
