import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { ApiFailure } from '../api/client';
import { FailureNotice, SkeletonLines } from '../ui/feedback';

// A page whose code is fetched when it is opened first.
export function lazyPage<P extends object>(load: () => Promise<ComponentType<P>>): ComponentType<P> {
  let Loaded: ComponentType<P> | undefined;
  return function LazyPage(props: P) {
    const [, setTurn] = useState(0);
    const [failed, setFailed] = useState(false);
    useEffect(() => {
      if (Loaded) return;
      load().then(
        (page) => {
          Loaded = page;
          setTurn((old) => old + 1);
        },
        () => setFailed(true),
      );
    }, []);
    if (Loaded) return <Loaded {...props} />;
    if (failed) return <FailureNotice failure={new ApiFailure(0, 'stale-page', '')} retry={() => location.reload()} />;
    return <SkeletonLines count={6} />;
  };
}
