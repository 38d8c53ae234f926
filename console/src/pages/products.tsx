import { useState } from 'preact/hooks';
import { api, ask, type Product } from '../api/client';
import { locale, t } from '../i18n';
import { number } from '../lib/format';
import { useAction, useSettled } from '../lib/hooks';
import { usePages } from '../lib/pages';
import { go, place, to } from '../lib/router';
import { may } from '../state/session';
import { Button } from '../ui/button';
import { FormDialog } from '../ui/dialog';
import { Empty, FailureNotice, tell } from '../ui/feedback';
import { SelectField, TextField } from '../ui/field';
import { Boxes, Plus } from '../ui/icons';
import { Ago, Card, Page } from '../ui/page';
import { SearchField } from '../ui/search';
import { Pager, Table, type Column } from '../ui/table';
import { authTypeChoices, profileChoices } from './product-words';

export function Products() {
  const [text, setText] = useState('');
  const [creating, setCreating] = useState(place.value.query.has('new') && may('admin'));
  const prefix = useSettled(text, 200);
  const pages = usePages(`products ${prefix}`, (cursor, signal) =>
    ask(
      api.GET('/products', {
        params: { query: { prefix: prefix || undefined, cursor: cursor || undefined, limit: 50 } },
        signal,
      }),
    ),
  );
  const searching = prefix !== '';
  return (
    <Page
      title={t('products.title')}
      lead={t('products.lead')}
      actions={
        may('admin') && (
          <Button look="primary" icon={Plus} onClick={() => setCreating(true)}>
            {t('products.new')}
          </Button>
        )
      }
    >
      <div class="toolbar">
        <SearchField label={t('products.search')} value={text} onInput={setText} />
      </div>
      <FailureNotice failure={pages.query.failure} retry={pages.query.reload} />
      {!pages.query.failure && (
        <Card flush>
          <Table
            label={t('products.title')}
            columns={productColumns()}
            rows={pages.rows}
            stale={pages.stale}
            rowKey={(product) => product.productKey}
            empty={
              searching ? (
                <Empty icon={Boxes} title={t('products.noneFound')}>
                  {t('products.noneFoundText')}
                </Empty>
              ) : (
                <FirstProduct onCreate={() => setCreating(true)} />
              )
            }
          />
          <Pager paging={pages.paging} onChange={pages.turnTo} />
        </Card>
      )}
      {creating && <NewProductDialog onClose={() => setCreating(false)} />}
    </Page>
  );
}

function FirstProduct({ onCreate }: { onCreate: () => void }) {
  const action = may('admin') && (
    <Button look="primary" icon={Plus} onClick={onCreate}>
      {t('products.new')}
    </Button>
  );
  return (
    <Empty icon={Boxes} title={t('products.none')} action={action}>
      {t('products.noneText')}
    </Empty>
  );
}

function productColumns(): Column<Product>[] {
  return [
    {
      id: 'name',
      title: t('product.name'),
      main: true,
      cell: (product) => (
        <>
          <a href={to('products', product.productKey)} class="clip">
            <bdi>{product.name || product.productKey}</bdi>
          </a>
          <code class="sub">{product.productKey}</code>
        </>
      ),
    },
    {
      id: 'profile',
      title: t('product.profile'),
      cell: (product) => (product.profile === 'mqtt' ? t('profile.mqtt') : t('profile.aliyun')),
    },
    {
      id: 'devices',
      title: t('product.devices'),
      align: 'end',
      cell: (product) => (
        <a href={to('devices', { product: product.productKey })}>{number(product.deviceCount, locale.value)}</a>
      ),
    },
    { id: 'created', title: t('common.created'), cell: (product) => <Ago time={product.created} /> },
  ];
}

function NewProductDialog({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState('');
  const [productKey, setProductKey] = useState('');
  const [profile, setProfile] = useState<Product['profile']>('aliyun');
  const [authType, setAuthType] = useState<Product['authType']>('secret');
  const action = useAction(async () => {
    const body = { name, profile, authType, ...(productKey ? { productKey } : {}) };
    const product = await ask(api.POST('/products', { body }));
    tell(t('products.created', { name: product.name || product.productKey }));
    go(to('products', product.productKey));
  });
  return (
    <FormDialog
      title={t('products.new')}
      submit={t('action.create')}
      busy={action.busy}
      failure={action.failure}
      onSubmit={() => void action.run()}
      onClose={onClose}
    >
      <TextField
        label={t('product.name')}
        value={name}
        onInput={setName}
        example={t('products.nameExample')}
        autoFocus
      />
      <TextField
        label={t('products.keyOptional')}
        value={productKey}
        onInput={setProductKey}
        hint={t('products.keyHint')}
        mono
      />
      <SelectField
        label={t('product.profile')}
        value={profile}
        choices={profileChoices()}
        onChange={setProfile}
        hint={profile === 'aliyun' ? t('profile.aliyunHint') : t('profile.mqttHint')}
      />
      <SelectField label={t('product.authType')} value={authType} choices={authTypeChoices()} onChange={setAuthType} />
    </FormDialog>
  );
}
