/** Headlamp's page of an OrderSaga has its picture, in Headlamp's colours. */

import { type DetailsViewSectionProps, registerDetailsViewSection } from '@kinvolk/headlamp-plugin/lib';
import { SectionBox } from '@kinvolk/headlamp-plugin/lib/CommonComponents';
import { useTheme } from '@mui/material/styles';
import { type CSSProperties, createElement } from 'react';
import { SagaTimeline } from '../../element/saga-timeline.js';

const GROUP = 'ordersaga.io/';

function Picture({ saga }: { saga: unknown }) {
  const { palette } = useTheme();
  const style = {
    '--saga-text': palette.text.primary, '--saga-dim': palette.text.secondary, '--saga-line': palette.divider,
    '--saga-paper': palette.background.paper, '--saga-good': palette.success.main, '--saga-busy': palette.info.main,
    '--saga-warn': palette.warning.main, '--saga-bad': palette.error.main,
  } as CSSProperties;
  // React 18 hands an element's properties on as attributes, which are texts.
  const draw = (element: HTMLElement | null) => {
    if (element instanceof SagaTimeline) {
      element.now = Date.now();
      element.saga = saga;
    }
  };
  return createElement('saga-timeline', { ref: draw, style });
}

registerDetailsViewSection(({ resource }: DetailsViewSectionProps) => {
  const saga = resource?.jsonData;
  if (saga?.kind !== 'OrderSaga' || !saga.apiVersion?.startsWith(GROUP)) return null;
  return (
    <SectionBox title="Saga">
      <Picture saga={saga} />
    </SectionBox>
  );
});
