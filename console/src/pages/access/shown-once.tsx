import { t } from '../../i18n';
import { Button } from '../../ui/button';
import { CodeBlock, CopyField } from '../../ui/copy';
import { Dialog } from '../../ui/dialog';
import { Notice } from '../../ui/feedback';

interface Props {
  title: string;
  values: { label: string; value: string; testName?: string }[];
  code?: { title: string; text: string };
  onClose: () => void;
}

// A password or token that is kept nowhere: this is the one time to take it.
export function ShownOnce({ title, values, code, onClose }: Props) {
  return (
    <Dialog title={title} onClose={onClose} wide={code !== undefined}>
      <div class="dialog-body">
        <Notice tone="warn">{t('access.once')}</Notice>
        <div>
          {values.map((one) => (
            <CopyField key={one.label} label={one.label} value={one.value} testName={one.testName} />
          ))}
        </div>
        {code && <CodeBlock title={code.title} text={code.text} />}
      </div>
      <footer class="dialog-foot">
        <Button look="primary" onClick={onClose}>
          {t('access.taken')}
        </Button>
      </footer>
    </Dialog>
  );
}
