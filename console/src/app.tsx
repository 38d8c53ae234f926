import type { ComponentType } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import icon from './icon.svg';
import type { Role } from './api/client';
import { t, type TextKey } from './i18n';
import { useAction } from './lib/hooks';
import { lazyPage } from './lib/lazy';
import { matchPath, place, to } from './lib/router';
import { may, session, signOut } from './state/session';
import { IconButton, LinkButton } from './ui/button';
import { Dialog } from './ui/dialog';
import { Empty, Toasts } from './ui/feedback';
import {
  Boxes,
  Cpu,
  Gauge,
  KeyRound,
  LogOut,
  Menu,
  Radio,
  ScrollText,
  Search,
  ShieldCheck,
  SlidersHorizontal,
  UserRound,
  type LucideIcon,
} from './ui/icons';
import { Page } from './ui/page';
import { LanguageChoice, ThemeChoice } from './ui/preferences';
import { FirstPassword, SignIn } from './pages/sign-in';

interface Route {
  pattern: string;
  section: string;
  page: ComponentType<Record<string, string>>;
}

// Names in the patterns become the properties of the pages.
function route<P extends object>(pattern: string, section: string, page: ComponentType<P>): Route {
  return { pattern, section, page: page as unknown as Route['page'] };
}

const routes: Route[] = [
  route(
    '',
    'overview',
    lazyPage(async () => (await import('./pages/overview')).Overview),
  ),
  route(
    'products',
    'products',
    lazyPage(async () => (await import('./pages/products')).Products),
  ),
  route(
    'products/:pk',
    'products',
    lazyPage(async () => (await import('./pages/product')).ProductPage),
  ),
  route(
    'products/:pk/devices/:dn',
    'devices',
    lazyPage(async () => (await import('./pages/device/page')).DevicePage),
  ),
  route(
    'devices',
    'devices',
    lazyPage(async () => (await import('./pages/devices')).Devices),
  ),
  route(
    'devices/import',
    'devices',
    lazyPage(async () => (await import('./pages/import')).ImportPage),
  ),
  route(
    'try',
    'try',
    lazyPage(async () => (await import('./pages/try')).TryPage),
  ),
  route(
    'access',
    'access',
    lazyPage(async () => (await import('./pages/access/page')).AccessPage),
  ),
  route(
    'certificates',
    'certificates',
    lazyPage(async () => (await import('./pages/certificates')).Certificates),
  ),
  route(
    'settings',
    'settings',
    lazyPage(async () => (await import('./pages/settings')).Settings),
  ),
  route(
    'audit',
    'audit',
    lazyPage(async () => (await import('./pages/audit')).Audit),
  ),
];

interface NavItem {
  section: string;
  label: TextKey;
  icon: LucideIcon;
  href: string;
  least: Role;
}

const navigation: NavItem[] = [
  { section: 'overview', label: 'nav.overview', icon: Gauge, href: to(), least: 'viewer' },
  { section: 'products', label: 'nav.products', icon: Boxes, href: to('products'), least: 'viewer' },
  { section: 'devices', label: 'nav.devices', icon: Cpu, href: to('devices'), least: 'viewer' },
  { section: 'try', label: 'nav.try', icon: Radio, href: to('try'), least: 'admin' },
  { section: 'access', label: 'nav.access', icon: KeyRound, href: to('access'), least: 'viewer' },
  { section: 'certificates', label: 'nav.certificates', icon: ShieldCheck, href: to('certificates'), least: 'viewer' },
  { section: 'settings', label: 'nav.settings', icon: SlidersHorizontal, href: to('settings'), least: 'viewer' },
  { section: 'audit', label: 'nav.audit', icon: ScrollText, href: to('audit'), least: 'admin' },
];

export function App() {
  const who = session.value;
  if (who === undefined) return <main class="gate" aria-busy="true" />;
  return (
    <>
      {who === null ? <SignIn /> : who.mustChangePassword ? <FirstPassword /> : <Shell />}
      <Toasts />
    </>
  );
}

interface Found {
  route: Route | undefined;
  words: Record<string, string>;
}

function findRoute(path: string[]): Found {
  for (const one of routes) {
    const words = matchPath(one.pattern, path);
    if (words) return { route: one, words };
  }
  return { route: undefined, words: {} };
}

function Shell() {
  const { route: found, words } = findRoute(place.value.path);
  const address = JSON.stringify(place.value.path);
  const [menuOpen, setMenuOpen] = useState(false);
  const main = useRef<HTMLElement>(null);
  const started = useRef(false);
  useEffect(() => {
    setMenuOpen(false);
    // Who moves by keyboard or hears the page goes on at the new heading.
    if (started.current) main.current?.querySelector<HTMLElement>('h1')?.focus({ preventScroll: true });
    if (started.current) window.scrollTo(0, 0);
    started.current = true;
  }, [address]);
  const section = found?.section ?? '';
  const Content = found?.page ?? NotFound;
  return (
    <div class="shell">
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          main.current?.focus();
        }}
      >
        {t('nav.skip')}
      </a>
      <aside class="sidebar">
        <Brand />
        <Navigation section={section} />
        <Foot />
      </aside>
      <header class="topbar">
        <Brand />
        <IconButton icon={Menu} label={t('nav.open')} expanded={menuOpen} onClick={() => setMenuOpen(true)} />
      </header>
      {menuOpen && (
        <Dialog title={t('nav.label')} onClose={() => setMenuOpen(false)} side>
          <div class="drawer">
            <Navigation section={section} />
            <Foot />
          </div>
        </Dialog>
      )}
      <main class="main" id="main" ref={main} tabIndex={-1}>
        <div class="main-inner" key={address}>
          <Content {...words} />
        </div>
      </main>
    </div>
  );
}

function Brand() {
  return (
    <a class="brand" href={to()}>
      <img src={icon} alt="" />
      Mooring
    </a>
  );
}

function Navigation({ section }: { section: string }) {
  return (
    <nav class="nav" aria-label={t('nav.label')}>
      {navigation
        .filter((item) => may(item.least))
        .map((item) => (
          <a key={item.section} href={item.href} aria-current={item.section === section ? 'page' : undefined}>
            <item.icon aria-hidden="true" />
            {t(item.label)}
          </a>
        ))}
    </nav>
  );
}

function Foot() {
  const leave = useAction(signOut);
  const who = session.value;
  return (
    <div class="sidebar-foot">
      <LanguageChoice />
      <ThemeChoice />
      <div class="whoami">
        <UserRound aria-hidden="true" />
        <span title={who?.label}>
          <bdi>{who?.user || who?.label}</bdi>
          <small class="muted">{t(`role.${who?.role ?? 'viewer'}`)}</small>
        </span>
        <IconButton icon={LogOut} label={t('signOut')} onClick={() => void leave.run()} disabled={leave.busy} />
      </div>
    </div>
  );
}

function NotFound() {
  return (
    <Page title={t('notFound.title')}>
      <Empty
        icon={Search}
        title={t('notFound.text')}
        action={<LinkButton href={to()}>{t('nav.overview')}</LinkButton>}
      />
    </Page>
  );
}
