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
