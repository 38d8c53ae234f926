import { render } from 'preact';
import { App } from './app';
import { loadLanguage } from './i18n';
import { followAddress } from './lib/router';
import { applyTheme, startLanguage } from './state/preferences';
import { findSession } from './state/session';
import './styles/tokens.css';
import './styles/base.css';
import './styles/layout.css';
import './styles/controls.css';
import './styles/content.css';

applyTheme();
followAddress();
const place = document.getElementById('app');
if (place) {
  // A dictionary that does not come leaves English.
  await Promise.all([loadLanguage(startLanguage()).catch(() => undefined), findSession()]);
  render(<App />, place);
}
