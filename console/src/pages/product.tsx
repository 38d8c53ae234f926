import { useEffect, useState } from 'preact/hooks';
import { api, ask, type Product, type ProductChange } from '../api/client';
import { counted, locale, t } from '../i18n';
import { number } from '../lib/format';
import { useAction, useQuery } from '../lib/hooks';
import { go, to } from '../lib/router';
import { may } from '../state/session';
import { Button, IconButton, LinkButton } from '../ui/button';
import { ConflictNotice } from '../ui/conflict';
import { CopyField } from '../ui/copy';
import { ConfirmDialog } from '../ui/dialog';
import { Empty, FailureNotice, SkeletonLines, tell } from '../ui/feedback';
import { SelectField, TextField } from '../ui/field';
import { Cpu, Plus, Radio, Trash, X } from '../ui/icons';
import { At, Card, Facts, Page } from '../ui/page';
import {
  authTypeChoices,
  firstUseChoices,
  parseTopicClass,
  profileChoices,
  registrationChoices,
  rightChoices,
  topicClassText,
  type Right,
  type TopicClass,
} from './product-words';
import { NewDevicesDialog } from './new-devices';

const load = (productKey: string) => ask(api.GET('/products/{productKey}', { params: { path: { productKey } } }));

export function ProductPage({ pk }: { pk: string }) {
  const query = useQuery(`product ${pk}`, () => load(pk));
  const [dialog, setDialog] = useState<'delete' | 'devices' | null>(null);
  const product = query.data;
  return (
    <Page
      title={product?.name || pk}
      trail={[{ label: t('products.title'), href: to('products') }]}
      actions={
        product && (
          <>
            <LinkButton href={to('devices', { product: pk })} icon={Cpu}>
              {counted('product.deviceCount', product.deviceCount)}
            </LinkButton>
            {may('operator') && (
              <Button look="primary" icon={Plus} onClick={() => setDialog('devices')}>
                {t('devices.new')}
              </Button>
            )}
          </>
        )
      }
    >
      <FailureNotice failure={query.failure} retry={query.reload} />
      {!product && !query.failure && (
        <Card>
          <SkeletonLines count={6} />
        </Card>
      )}
      {product && (
        <>
          <Identity product={product} />
          <SettingsForm product={product} onSaved={query.set} />
          <TopicClasses product={product} onSaved={query.set} />
          {may('admin') && <DangerCard product={product} onDelete={() => setDialog('delete')} />}
        </>
      )}
      {product && dialog === 'devices' && (
        <NewDevicesDialog productKey={pk} onClose={() => setDialog(null)} onMade={query.reload} />
      )}
      {product && dialog === 'delete' && <DeleteDialog product={product} onClose={() => setDialog(null)} />}
    </Page>
  );
}

function Identity({ product }: { product: Product }) {
  return (
    <Card title={t('product.identity')}>
      <div>
        <CopyField label="ProductKey" value={product.productKey} testName="product-key" />
        {product.productSecret !== undefined && (
          <CopyField label="ProductSecret" value={product.productSecret} secret testName="product-secret" />
        )}
      </div>
      <Facts
        items={[
          { name: t('product.devices'), value: number(product.deviceCount, locale.value) },
          { name: t('common.created'), value: <At time={product.created} /> },
        ]}
      />
    </Card>
  );
}

const editable = ['name', 'profile', 'authType', 'dynamicRegistration', 'firstUse'] as const;
type Editable = Pick<Product, (typeof editable)[number]>;

function pick(product: Product): Editable {
  const { name, profile, authType, dynamicRegistration, firstUse } = product;
  return { name, profile, authType, dynamicRegistration, firstUse };
}

interface EditProps {
  product: Product;
  onSaved: (product: Product) => void;
}

// Saves a change of the version that was seen; a conflict stays until somebody has decided.
function useProductEdit({ product, onSaved }: EditProps, done: string) {
  const [seen, setSeen] = useState(product);
  const action = useAction(async (change: ProductChange, version: number) => {
    const params = { path: { productKey: product.productKey } };
    const saved = await ask(api.PATCH('/products/{productKey}', { params, body: { ...change, version } }));
    setSeen(saved);
    onSaved(saved);
    tell(done);
  });
  const conflict = action.failure?.code === 'version_conflict';
  return { seen, setSeen, action, conflict };
}

function SettingsForm(props: EditProps) {
  const { seen, setSeen, action, conflict } = useProductEdit(props, t('product.saved'));
  const [form, setForm] = useState(pick(props.product));
  const change =
    <K extends keyof Editable>(name: K) =>
    (value: Editable[K]) =>
      setForm({ ...form, [name]: value });
  const changed = editable.some((name) => form[name] !== seen[name]);
  // What was saved elsewhere on this page is no conflict; what somebody else changed here is, once this form is
  // touched.
  useEffect(() => {
    const same = editable.every((name) => seen[name] === props.product[name]);
    if (same || !changed) setSeen(props.product);
    if (!changed) setForm(pick(props.product));
  }, [props.product.version]);
  return (
    <Card title={t('product.settings')}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void action.run(form, seen.version);
        }}
      >
        <fieldset class="bare stack" disabled={!may('admin')}>
          <div class="fields">
            <TextField label={t('product.name')} value={form.name} onInput={change('name')} />
            <SelectField
              label={t('product.profile')}
              value={form.profile}
              choices={profileChoices()}
              onChange={change('profile')}
              hint={form.profile === 'aliyun' ? t('profile.aliyunHint') : t('profile.mqttHint')}
            />
            <SelectField
              label={t('product.authType')}
              value={form.authType}
              choices={authTypeChoices()}
              onChange={change('authType')}
            />
            <SelectField
              label={t('product.registration')}
              value={form.dynamicRegistration}
              choices={registrationChoices()}
              onChange={change('dynamicRegistration')}
              hint={t('registration.hint')}
            />
            <SelectField
              label={t('product.firstUse')}
              value={form.firstUse}
              choices={firstUseChoices()}
              onChange={change('firstUse')}
              hint={t('firstUse.hint')}
            />
          </div>
          {conflict ? (
            <ConflictNotice
              seen={seen}
              load={() => load(props.product.productKey)}
              fields={[...editable, 'topicClasses']}
              onTakeTheirs={(now) => {
                setSeen(now);
                setForm(pick(now));
                props.onSaved(now);
                action.clear();
              }}
              onKeepMine={(now) => void action.run(form, now.version)}
            />
          ) : (
            <FailureNotice failure={action.failure} />
          )}
          {may('admin') && (
            <div class="row">
              <Button type="submit" look="primary" busy={action.busy} disabled={!changed || conflict}>
                {t('action.save')}
              </Button>
              {changed && !conflict && (
                <Button look="quiet" onClick={() => setForm(pick(seen))}>
                  {t('action.discard')}
                </Button>
              )}
            </div>
          )}
        </fieldset>
      </form>
    </Card>
  );
}

type ClassesChange = (classes: TopicClass[]) => TopicClass[];

function TopicClasses(props: EditProps) {
  const { action, conflict } = useProductEdit(props, t('topicClass.saved'));
  const [wanted, setWanted] = useState<ClassesChange>(() => (classes: TopicClass[]) => classes);
  const { product } = props;
  const apply = (change: ClassesChange, to: Product) => {
    setWanted(() => change);
    return action.run({ topicClasses: change(to.topicClasses.map(parseTopicClass)).map(topicClassText) }, to.version);
  };
  return (
    <Card title={t('topicClass.title')} lead={t('topicClass.lead')} flush>
      <TopicClassList
        product={product}
        onRemove={(suffix) => void apply((classes) => classes.filter((one) => one.suffix !== suffix), product)}
      />
      <div class="pad stack">
        {may('admin') && (
          <NewTopicClass
            busy={action.busy}
            onAdd={(added) =>
              apply((classes) => [...classes.filter((one) => one.suffix !== added.suffix), added], product)
            }
          />
        )}
        {conflict ? (
          <ConflictNotice
            seen={product}
            load={() => load(product.productKey)}
            fields={[...editable, 'topicClasses']}
            onTakeTheirs={(now) => {
              props.onSaved(now);
              action.clear();
            }}
            onKeepMine={(now) => void apply(wanted, now)}
          />
        ) : (
          <FailureNotice failure={action.failure} />
        )}
      </div>
    </Card>
  );
}

function TopicClassList({ product, onRemove }: { product: Product; onRemove: (suffix: string) => void }) {
  const classes = product.topicClasses.map(parseTopicClass);
  if (classes.length === 0) {
    return (
      <Empty icon={Radio} title={t('topicClass.none')}>
        {t('topicClass.noneText')}
      </Empty>
    );
  }
  return (
    <ul class="plain-list pad">
      {classes.map((one) => (
        <li key={one.suffix} class="row spread">
          <span class="topic">
            /{product.productKey}/<i class="muted">{'${deviceName}'}</i>/<bdi>{one.suffix}</bdi>
          </span>
          <span class="row">
            <span class="muted small">{t(`right.${one.right}`)}</span>
            {may('admin') && (
              <IconButton
                icon={X}
                label={t('topicClass.remove', { suffix: one.suffix })}
                onClick={() => onRemove(one.suffix)}
              />
            )}
          </span>
        </li>
      ))}
    </ul>
  );
}

function NewTopicClass({ busy, onAdd }: { busy: boolean; onAdd: (added: TopicClass) => Promise<boolean> }) {
  const [suffix, setSuffix] = useState('');
  const [right, setRight] = useState<Right>('all');
  const add = async () => {
    if (await onAdd({ suffix: suffix.replace(/^\/+/, ''), right })) setSuffix('');
  };
  return (
    <form
      class="toolbar end-aligned"
      onSubmit={(event) => {
        event.preventDefault();
        void add();
      }}
    >
      <div class="grow">
        <TextField
          label={t('topicClass.suffix')}
          value={suffix}
          onInput={setSuffix}
          example="user/state"
          mono
          required
        />
      </div>
      <SelectField label={t('topicClass.right')} value={right} choices={rightChoices()} onChange={setRight} />
      <Button type="submit" icon={Plus} busy={busy}>
        {t('topicClass.add')}
      </Button>
    </form>
  );
}

function DangerCard({ product, onDelete }: { product: Product; onDelete: () => void }) {
  return (
    <Card title={t('product.delete')} lead={counted('product.deleteLead', product.deviceCount)}>
      <Button icon={Trash} look="warning" onClick={onDelete}>
        {t('product.delete')}
      </Button>
    </Card>
  );
}

function DeleteDialog({ product, onClose }: { product: Product; onClose: () => void }) {
  const { productKey } = product;
  return (
    <ConfirmDialog
      title={t('product.delete')}
      submit={t('action.delete')}
      typed={productKey}
      perform={() =>
        ask(api.DELETE('/products/{productKey}', { params: { path: { productKey }, query: { withDevices: true } } }))
      }
      onDone={() => {
        tell(t('product.deleted', { name: product.name || productKey }));
        go(to('products'));
      }}
      onClose={onClose}
    >
      <p>{counted('product.deleteText', product.deviceCount)}</p>
    </ConfirmDialog>
  );
}
