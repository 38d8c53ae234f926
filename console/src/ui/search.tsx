import { useUniqueId } from '../lib/hooks';
import { Search } from './icons';

interface SearchProps {
  label: string;
  value: string;
  onInput: (value: string) => void;
}

export function SearchField({ label, value, onInput }: SearchProps) {
  const id = useUniqueId('search');
  return (
    <div class="grow search">
      <label for={id} class="hidden-text">
        {label}
      </label>
      <Search aria-hidden="true" />
      <input
        id={id}
        class="input"
        type="search"
        value={value}
        placeholder={label}
        autoComplete="off"
        autoCapitalize="off"
        spellcheck={false}
        maxLength={128}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
    </div>
  );
}
