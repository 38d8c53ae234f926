import { t } from '../../i18n';
import { go, place, to } from '../../lib/router';
import { may } from '../../state/session';
import { Page } from '../../ui/page';
import { Tabs } from '../../ui/tabs';
import { Accounts } from './accounts';
import { People } from './people';
import { Tickets } from './tickets';
import { Tokens } from './tokens';

type TabId = 'accounts' | 'tickets' | 'people' | 'tokens';

export function AccessPage() {
  const ids: TabId[] = may('admin') ? ['accounts', 'tickets', 'people', 'tokens'] : ['accounts', 'tickets'];
  const wanted = place.value.query.get('tab') as TabId | null;
  const tab = wanted && ids.includes(wanted) ? wanted : 'accounts';
  return (
    <Page title={t('access.title')} lead={t('access.lead')}>
      <Tabs
        label={t('access.title')}
        tabs={ids.map((id) => ({ id, label: t(`access.${id}`) }))}
        chosen={tab}
        onChoose={(id) => go(to('access', { tab: id }), 'replace')}
      >
        {tab === 'accounts' && <Accounts />}
        {tab === 'tickets' && <Tickets />}
        {tab === 'people' && <People />}
        {tab === 'tokens' && <Tokens />}
      </Tabs>
    </Page>
  );
}
