import { chooseLanguage, language, t } from '../i18n';
import { chooseTheme, theme } from '../state/preferences';
import { Segments } from './field';

export function LanguageChoice() {
  return (
    <Segments
      label={t('preferences.language')}
      value={language.value}
      choices={[
        { value: 'en', label: 'English' },
        { value: 'zh', label: '中文' },
      ]}
      onChange={(wanted) => void chooseLanguage(wanted)}
    />
  );
}

export function ThemeChoice() {
  return (
    <Segments
      label={t('preferences.theme')}
      value={theme.value}
      choices={[
        { value: 'auto', label: t('preferences.auto') },
        { value: 'light', label: t('preferences.light') },
        { value: 'dark', label: t('preferences.dark') },
      ]}
      onChange={chooseTheme}
    />
  );
}
