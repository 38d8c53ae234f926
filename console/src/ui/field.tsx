import type { ComponentChildren } from 'preact';
import { useUniqueId } from '../lib/hooks';

interface FrameProps {
  label: string;
  hint?: ComponentChildren;
  error?: string;
  hideLabel?: boolean;
}

interface Ids {
  id: string;
  describedBy: string | undefined;
}

function Frame(props: FrameProps & { children: (ids: Ids) => ComponentChildren }) {
  const id = useUniqueId('field');
  const described = [props.hint && `${id}-hint`, props.error && `${id}-error`].filter(Boolean).join(' ');
  return (
    <div class="field">
      <label for={id} class={props.hideLabel ? 'hidden-text' : ''}>
        {props.label}
      </label>
      {props.children({ id, describedBy: described || undefined })}
      {props.error && (
        <p class="field-error" id={`${id}-error`}>
          {props.error}
        </p>
      )}
      {props.hint && (
        <p class="field-hint" id={`${id}-hint`}>
          {props.hint}
        </p>
      )}
    </div>
  );
}

interface TextProps extends FrameProps {
  value: string;
  onInput: (value: string) => void;
  type?: 'text' | 'password' | 'search' | 'number';
  name?: string;
  autoComplete?: string;
  example?: string;
  required?: boolean;
  autoFocus?: boolean;
  maxLength?: number;
  min?: number;
  max?: number;
  mono?: boolean;
  list?: string;
}

export function TextField(props: TextProps) {
  return (
    <Frame {...props}>
      {({ id, describedBy }) => (
        <input
          id={id}
          class={props.mono ? 'input mono' : 'input'}
          type={props.type ?? 'text'}
          name={props.name}
          value={props.value}
          placeholder={props.example}
          required={props.required}
          autoFocus={props.autoFocus}
          autoComplete={props.autoComplete ?? 'off'}
          autoCapitalize="off"
          spellcheck={false}
          maxLength={props.maxLength}
          min={props.min}
          max={props.max}
          list={props.list}
          aria-describedby={describedBy}
          aria-invalid={props.error ? true : undefined}
          onInput={(event) => props.onInput(event.currentTarget.value)}
        />
      )}
    </Frame>
  );
}

interface AreaProps extends FrameProps {
  value: string;
  onInput: (value: string) => void;
  rows?: number;
  example?: string;
  mono?: boolean;
  required?: boolean;
}

export function AreaField(props: AreaProps) {
  return (
    <Frame {...props}>
      {({ id, describedBy }) => (
        <textarea
          id={id}
          class={props.mono ? 'input mono' : 'input'}
          rows={props.rows ?? 4}
          value={props.value}
          placeholder={props.example}
          required={props.required}
          spellcheck={false}
          aria-describedby={describedBy}
          aria-invalid={props.error ? true : undefined}
          onInput={(event) => props.onInput(event.currentTarget.value)}
        />
      )}
    </Frame>
  );
}

export interface Choice<T extends string> {
  value: T;
  label: string;
}

interface SelectProps<T extends string> extends FrameProps {
  value: T;
  choices: Choice<T>[];
  onChange: (value: T) => void;
}

export function SelectField<T extends string>(props: SelectProps<T>) {
  return (
    <Frame {...props}>
      {({ id, describedBy }) => (
        <select
          id={id}
          class="input"
          value={props.value}
          aria-describedby={describedBy}
          onChange={(event) => props.onChange(event.currentTarget.value as T)}
        >
          {props.choices.map((choice) => (
            <option key={choice.value} value={choice.value}>
              {choice.label}
            </option>
          ))}
        </select>
      )}
    </Frame>
  );
}

interface CheckProps {
  label: ComponentChildren;
  hint?: string;
  checked: boolean;
  disabled?: boolean;
  onChange: (checked: boolean) => void;
}

export function CheckField({ label, hint, checked, disabled, onChange }: CheckProps) {
  const id = useUniqueId('check');
  return (
    <div class="check">
      <input
        id={id}
        type="checkbox"
        checked={checked}
        disabled={disabled}
        aria-describedby={hint ? `${id}-hint` : undefined}
        onChange={(event) => onChange(event.currentTarget.checked)}
      />
      <label for={id}>{label}</label>
      {hint && (
        <p class="field-hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  );
}

interface SegmentsProps<T extends string> {
  label: string;
  value: T;
  choices: Choice<T>[];
  onChange: (value: T) => void;
}

// A few choices side by side: radio buttons in the dress of one control.
export function Segments<T extends string>({ label, value, choices, onChange }: SegmentsProps<T>) {
  const name = useUniqueId('segments');
  return (
    <fieldset class="segments">
      <legend class="hidden-text">{label}</legend>
      {choices.map((choice) => (
        <label key={choice.value} class={choice.value === value ? 'chosen' : ''}>
          <input
            type="radio"
            name={name}
            value={choice.value}
            checked={choice.value === value}
            onChange={() => onChange(choice.value)}
          />
          <span>{choice.label}</span>
        </label>
      ))}
    </fieldset>
  );
}
